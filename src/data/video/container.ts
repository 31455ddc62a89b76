import { type FileHandle, open } from 'node:fs/promises';
import type { LocalFile } from './local-file.js';
import { firstVideoTrack, fourCc } from './mp4-boxes.js';
import { videoError } from './video-error.js';

/** What a file says of itself, read without decoding it. */
export interface Container {
  readonly format: 'mp4' | 'matroska' | 'avi';
  /** Frames the index declares; absent when the format keeps no such number or an edit list trims it. */
  readonly declaredFrames?: number;
}

/** Box types that may open an MP4 or QuickTime file. */
const MP4_FIRST_BOXES = /^(ftyp|moov|mdat|free|skip|wide|pnot|styp)$/;
const MAX_MOOV_BYTES = 64 * 2 ** 20;
const MAX_TOP_BOXES = 100_000;

/**
 * Recognises MP4/QuickTime, Matroska/WebM and AVI by their bytes, never by their name, and checks that the file is as
 * long as its own header says.
 *
 * The second check is what a decoder lacks: ffmpeg ends with status 0 and fewer frames when a file is cut between two
 * packets. A dozen short reads, well under a millisecond, replace an ffprobe process.
 *
 * @throws DataError E_VIDEO_FORMAT for anything else (playlists, pictures, text); E_VIDEO_TRUNCATED when bytes are missing
 */
export async function readContainer(file: LocalFile): Promise<Container> {
  const handle = await open(file.path, 'r');
  try {
    const head = await read(handle, 0, 64);
    if (head.byteLength >= 8 && MP4_FIRST_BOXES.test(fourCc(head, 4))) return await readMp4(handle, file);
    if (head.byteLength >= 12 && fourCc(head, 0) === 'RIFF' && fourCc(head, 8) === 'AVI ') return readAvi(head, file);
    if (head.byteLength >= 5 && head.getUint32(0) === 0x1a45dfa3) return readMatroska(head, file);
    throw videoError('FORMAT', file.path, 'not an MP4, QuickTime, Matroska, WebM or AVI file');
  } finally {
    await handle.close();
  }
}

async function readMp4(handle: FileHandle, file: LocalFile): Promise<Container> {
  let moov: DataView | undefined;
  let seen = false;
  let at = 0;
  for (let box = 0; box < MAX_TOP_BOXES && at < file.bytes; box++) {
    const head = await read(handle, at, 16);
    const type = head.byteLength >= 8 ? fourCc(head, 4) : '';
    // Zero padding or a tag after the movie: players ignore it, and so do we.
    if (!/^[\x20-\x7e\xa9]{4}$/.test(type)) break;
    const header = head.getUint32(0) === 1 ? 16 : 8;
    const size = boxBytes(head, file.bytes - at);
    if (size < header) break;
    if (at + size > file.bytes) throw cut(file, `box '${type}' ends at byte ${at + size}`);
    if (type === 'moov' && !seen) {
      seen = true;
      if (size <= MAX_MOOV_BYTES) moov = await read(handle, at + header, size - header);
    }
    at += size;
  }
  if (!seen) throw cut(file, "the index (box 'moov') is missing");
  const track = moov && firstVideoTrack(moov);
  const declared = track !== undefined && !track.trimmed && track.sampleCount > 0;
  return { format: 'mp4', ...(declared ? { declaredFrames: track.sampleCount } : {}) };
}

/** Size 1 means a 64-bit size follows; size 0 means up to the end of the file. */
function boxBytes(head: DataView, rest: number): number {
  const size = head.getUint32(0);
  if (size === 0) return rest;
  return size === 1 && head.byteLength >= 16 ? Number(head.getBigUint64(8)) : size;
}

function readAvi(head: DataView, file: LocalFile): Container {
  const end = 8 + head.getUint32(4, true);
  if (end > file.bytes) throw cut(file, `the RIFF chunk ends at byte ${end}`);
  return { format: 'avi' };
}

/** EBML header, then the segment; a live recording leaves the segment's length unknown (all ones). */
function readMatroska(head: DataView, file: LocalFile): Container {
  const header = vint(head, 4);
  const at = header === undefined ? 0 : header.end + header.value;
  if (at > 0 && at + 12 <= head.byteLength && head.getUint32(at) === 0x18538067) {
    const segment = vint(head, at + 4);
    const end = segment?.unknown === false ? segment.end + segment.value : 0;
    if (end > file.bytes) throw cut(file, `the segment ends at byte ${end}`);
  }
  return { format: 'matroska' };
}

/** An EBML variable-length integer: the leading zero bits of the first byte tell how many bytes follow. */
function vint(view: DataView, at: number): { value: number; end: number; unknown: boolean } | undefined {
  const first = view.getUint8(at);
  const length = Math.clz32(first) - 23;
  if (length > 8 || at + length > view.byteLength) return undefined;
  let value = first & (0xff >> length);
  let ones = value === 0xff >> length;
  for (let i = 1; i < length; i++) {
    const byte = view.getUint8(at + i);
    value = value * 256 + byte;
    ones &&= byte === 0xff;
  }
  return { value, end: at + length, unknown: ones };
}

async function read(handle: FileHandle, position: number, bytes: number): Promise<DataView> {
  const { buffer, bytesRead } = await handle.read(new Uint8Array(bytes), 0, bytes, position);
  return new DataView(buffer.buffer, buffer.byteOffset, bytesRead);
}

function cut(file: LocalFile, problem: string): Error {
  return videoError('TRUNCATED', file.path, `the video file is cut: ${problem}, the file has ${file.bytes} bytes`);
}
