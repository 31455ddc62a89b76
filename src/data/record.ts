/**
 * One video with what its creator and its viewers wrote: a line of MIMIC-Data. Or a conversation, about a video, pictures or
 * nothing but words: a line of an instruction set.
 *
 * A missing text is no error: the tasks that need it are skipped and counted.
 */
import { z } from 'zod';
import { ConversationSchema, checkConversation } from './conversation.js';

const count = z.int().nonnegative();

export const CommentSchema = z.object({
  text: z.string().min(1),
  likes: count.describe('likes of the comment'),
});

const fields = z.object({
  id: z.string().min(1).describe('stable id; never the id of a platform user or account'),
  video_path: z.string().min(1).optional().describe('video file, relative to the data root'),
  frames: z.array(z.string().min(1)).min(1).optional().describe('image files in place of video_path'),
  frame_times_sec: z.array(z.number().nonnegative()).optional().describe('presentation time of each of `frames`'),
  images: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('picture files that `conversations` talks about, in place of a video'),
  video: z.string().min(1).optional().describe("another name of video_path, as InternVL's data has it"),
  image: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .optional()
    .describe("one or more of `images`, as LLaVA's and InternVL's data has it"),
  conversations: ConversationSchema.optional().describe(
    'turns to learn as they are, in place of the tasks; without video and pictures they are text alone',
  ),
  title: z.string().optional().describe("creator's title"),
  description: z.string().optional().describe("creator's description"),
  tags: z.array(z.string()).default([]).describe('hashtags, without the #'),
  topic: z.string().optional(),
  category: z.string().optional(),
  subcategory: z.string().optional(),
  comments: z.array(CommentSchema).default([]).describe("viewers' comments; at least five for the comment tasks"),
  stats: z
    .object({
      like: count.optional(),
      favorite: count.optional(),
      share: count.optional(),
      comment: count.optional(),
    })
    .optional()
    .describe('counts of the video'),
  platform: z.string().optional(),
  duration_sec: z.number().positive().optional(),
  lang: z.string().optional().describe('BCP 47 tag of the texts'),
  facts: z
    .record(z.string(), z.string())
    .optional()
    .describe('synthetic data only: what the clip shows; labels the axis of a question, no task reads it'),
});

/** The schema of a line: what a record has of the other names goes to `video_path` and `images`. */
export const VideoRecord = fields
  .superRefine((record, ctx) => {
    const fail = (key: string, message: string) => ctx.addIssue({ code: 'custom', path: [key], message });
    const sources = (['video_path', 'video', 'frames', 'images', 'image'] as const).filter(
      (key) => record[key] !== undefined,
    );
    if (sources.length > 1) fail(sources[1] ?? '', `stands beside ${sources[0]}, expected one of the two`);
    if (sources.length === 0 && record.conversations === undefined) {
      fail(
        'video_path',
        'expected either video_path, or frames with frame_times_sec; or conversations, for text alone',
      );
    }
    if (record.frames?.length !== record.frame_times_sec?.length) {
      fail('frame_times_sec', 'expected one time for each of frames');
    }
    const images = imagesOf(record);
    if (images !== undefined && record.conversations === undefined) {
      fail('conversations', 'expected turns about the pictures: the tasks are about videos');
    }
    if (record.conversations === undefined) return;
    const video = images === undefined && sources.length > 0 ? 1 : 0;
    for (const { path, message } of checkConversation(record.conversations, { images: images?.length ?? 0, video })) {
      ctx.addIssue({ code: 'custom', path: ['conversations', ...path], message });
    }
  })
  .transform(({ video, image, ...record }) => {
    const [images, video_path] = [imagesOf({ ...record, image }), record.video_path ?? video];
    return {
      ...record,
      ...(images === undefined ? {} : { images }),
      ...(video_path === undefined ? {} : { video_path }),
    };
  });
export type VideoRecord = z.output<typeof VideoRecord>;
export type VideoComment = z.output<typeof CommentSchema>;

/** Whether there is a video to ask about, rather than pictures or words alone. */
export function hasVideo(record: Pick<VideoRecord, 'video_path' | 'frames'>): boolean {
  return record.video_path !== undefined || record.frames !== undefined;
}

function imagesOf({ images, image }: Pick<z.output<typeof fields>, 'images' | 'image'>): string[] | undefined {
  return images ?? (typeof image === 'string' ? [image] : image);
}
