import { isRecord } from '../base/config-layer.js';
import type { VideoRecord } from './record.js';

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isFilled: Check = (value) => typeof value === 'string' && value !== '';
const isCount: Check = (value) => Number.isSafeInteger(value) && typeof value === 'number' && value >= 0;
const isLength: Check = (value) => typeof value === 'number' && Number.isFinite(value) && value > 0;

const COMMENT = { text: isFilled, likes: isCount };
const STATS = { like: isCount, favorite: isCount, share: isCount, comment: isCount };
/** What the schema asks of a record about a video file. All but the first two may be absent. */
const FIELDS: Readonly<Record<string, Check>> = {
  id: isFilled,
  video_path: isFilled,
  title: isText,
  description: isText,
  tags: (value) => Array.isArray(value) && value.every(isText),
  topic: isText,
  category: isText,
  subcategory: isText,
  comments: (value) => Array.isArray(value) && value.every(isComment),
  stats: (value) => isRecord(value) && hasOnly(value, STATS),
  platform: isText,
  duration_sec: isLength,
  lang: isText,
  facts: (value) => isRecord(value) && Object.values(value).every(isText) && !Object.hasOwn(value, '__proto__'),
};

function isComment(value: unknown): boolean {
  return isRecord(value) && Object.hasOwn(value, 'text') && Object.hasOwn(value, 'likes') && hasOnly(value, COMMENT);
}

function hasOnly(value: Record<string, unknown>, checks: Readonly<Record<string, Check>>): boolean {
  for (const key of Object.keys(value)) if (!Object.hasOwn(checks, key) || !checks[key]?.(value[key])) return false;
  return true;
}

function isPlain(value: Record<string, unknown>): value is Pick<VideoRecord, 'id'> & Partial<VideoRecord> {
  return Object.hasOwn(value, 'id') && Object.hasOwn(value, 'video_path') && hasOnly(value, FIELDS);
}

/**
 * What the schema makes of a parsed line, twenty times as fast, where that is plain to see: a record about a video file
 * with known keys and no error. Undefined for any other, which the schema must judge.
 */
export function plainRecord(value: Record<string, unknown>): VideoRecord | undefined {
  return isPlain(value) ? { ...value, tags: value.tags ?? [], comments: value.comments ?? [] } : undefined;
}
