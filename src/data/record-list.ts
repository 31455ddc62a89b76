import type { VideoRecord } from './record.js';

/** Records by their number: an array, or a file whose lines are read when they are asked for. */
export interface RecordList {
  readonly length: number;
  at(index: number): VideoRecord | undefined;
}

/** Characters of a record's texts: a hint at how long its samples may get, without drawing one. */
export function textLengthOf({
  title = '',
  description = '',
  tags,
  comments,
  conversations,
}: Pick<VideoRecord, 'title' | 'description' | 'tags' | 'comments' | 'conversations'>): number {
  let length = 0;
  if (conversations !== undefined) {
    for (const { value } of conversations) length += value.length;
    return length;
  }
  for (const tag of tags) length += tag.length;
  for (const { text } of comments) length += text.length;
  return length + title.length + description.length;
}
