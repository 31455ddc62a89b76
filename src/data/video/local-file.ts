import { realpath, stat } from 'node:fs/promises';
import type { DataError } from '../../base/errors.js';

export interface LocalFile {
  /** Absolute, symbolic links resolved: what is checked is what is opened. */
  readonly path: string;
  readonly bytes: number;
}

/** Makes the caller's error, `E_VIDEO_EMPTY` or `E_IMAGE_EMPTY` say, for one of the reasons found here. */
export type RefuseFile = (
  reason: 'NOT_FOUND' | 'NOT_A_FILE' | 'UNREADABLE' | 'EMPTY',
  path: string,
  problem: string,
  details?: { cause?: unknown },
) => DataError;

/**
 * Resolves `path` to a non-empty regular file. A FIFO or a device would block its reader forever.
 *
 * @throws what `refuse` makes
 */
export async function localFile(path: string, refuse: RefuseFile): Promise<LocalFile> {
  try {
    const resolved = await realpath(path);
    const status = await stat(resolved);
    if (!status.isFile()) throw refuse('NOT_A_FILE', path, 'not a regular file');
    if (status.size === 0) throw refuse('EMPTY', path, 'the file has 0 bytes');
    return { path: resolved, bytes: status.size };
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (/^(EACCES|EPERM)$/.test(code)) throw refuse('UNREADABLE', path, 'no permission to read the file', { cause });
    if (/^(ENOENT|ENOTDIR|ELOOP|ENAMETOOLONG|ERR_INVALID_ARG_VALUE)$/.test(code)) {
      throw refuse('NOT_FOUND', path, `no such file (${code})`, { cause });
    }
    throw cause;
  }
}
