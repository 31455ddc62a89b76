/**
 * The video of a request as a local file: an upload, a `data:` URL, or a file inside the media root. Never a URL, so
 * a request cannot make the server fetch anything.
 */
import { createWriteStream } from 'node:fs';
import { mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { RequestError } from '../../base/errors.js';

export interface MediaFile {
  readonly path: string;
  /** What the client calls it; error messages show this instead of `path`. */
  readonly label: string;
  /** Deletes what was written for this request; may be called again. */
  dispose(): Promise<void>;
}

/** Writes an uploaded stream to a private temporary file; its name plays no part. */
export async function receiveUpload(stream: Readable): Promise<MediaFile> {
  return temporaryFile((path) => pipeline(stream, createWriteStream(path, { flags: 'wx' })));
}

/**
 * @param video `data:video/...;base64,...`, or a path relative to `mediaRoot`
 * @throws RequestError 400 E_MEDIA_URL, E_MEDIA_DATA; 403 E_MEDIA_PATH (off, outside the root, or no regular file)
 */
export async function openMedia(video: string, mediaRoot: string | undefined): Promise<MediaFile> {
  if (/^data:/i.test(video)) return decodeDataUrl(video);
  if (/^[a-z][a-z0-9+.-]*:/i.test(video) || video.startsWith('//')) {
    throw new RequestError(400, 'E_MEDIA_URL', 'video: URLs are not fetched, expected an upload or a data: URL', {
      hint: 'upload the file as multipart/form-data, part "video"',
    });
  }
  if (mediaRoot === undefined) {
    throw new RequestError(
      403,
      'E_MEDIA_PATH',
      'video: this server reads no local files, expected an upload or a data: URL',
      {
        hint: 'start it with --media-root FOLDER to let requests name files inside that folder',
      },
    );
  }
  return { path: await insideRoot(video, mediaRoot), label: video, dispose: async () => {} };
}

async function decodeDataUrl(url: string): Promise<MediaFile> {
  const comma = url.indexOf(',');
  const base64 = url.slice(comma + 1);
  const isVideo = /^data:video\/[a-z0-9.+-]+;base64$/i.test(url.slice(0, Math.max(0, comma)));
  if (!isVideo || base64.length === 0 || base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    throw new RequestError(400, 'E_MEDIA_DATA', 'video: malformed data URL, expected data:video/TYPE;base64,DATA');
  }
  return temporaryFile((path) => writeFile(path, Buffer.from(base64, 'base64'), { flag: 'wx' }));
}

/** One message for every reason, so that a request cannot find out which files exist. */
async function insideRoot(video: string, mediaRoot: string): Promise<string> {
  const refuse = (cause?: unknown) =>
    new RequestError(403, 'E_MEDIA_PATH', 'video: not a readable regular file inside the media root', {
      hint: 'give a path relative to --media-root, without symbolic links that leave it',
      cause,
    });
  if (video.includes('\0') || video.startsWith('/')) throw refuse();
  try {
    const root = await realpath(mediaRoot);
    const path = await realpath(join(root, video));
    if (path.startsWith(root.endsWith(sep) ? root : root + sep) && (await stat(path)).isFile()) return path;
  } catch (cause) {
    throw refuse(cause);
  }
  throw refuse();
}

async function temporaryFile(write: (path: string) => Promise<void>): Promise<MediaFile> {
  const folder = await mkdtemp(join(tmpdir(), 'mimic-media-'));
  const dispose = () => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, 'video');
    await write(path);
    return { path, label: 'video', dispose };
  } catch (cause) {
    await dispose();
    throw cause;
  }
}
