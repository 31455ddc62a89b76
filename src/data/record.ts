/**
 * One video with what its creator and its viewers wrote: a line of MIMIC-Data.
 *
 * A missing text is no error: the tasks that need it are skipped and counted.
 */
import { z } from 'zod';

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

/** The schema of a line of MIMIC-Data. */
export const VideoRecord = fields
  .refine((record) => (record.video_path === undefined) !== (record.frames === undefined), {
    path: ['video_path'],
    error: 'expected either video_path, or frames with frame_times_sec',
  })
  .refine((record) => record.frames?.length === record.frame_times_sec?.length, {
    path: ['frame_times_sec'],
    error: 'expected one time for each of frames',
  });
export type VideoRecord = z.output<typeof VideoRecord>;
export type VideoComment = z.output<typeof CommentSchema>;
