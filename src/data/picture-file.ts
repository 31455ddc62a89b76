import { type FileHandle, open } from 'node:fs/promises';

/** First bytes of the pictures that `decodeImage` reads. */
const HEADER_BYTES = 12;

/**
 * Whether a file is a picture (JPEG, PNG, WebP) by its first bytes: an upload has no name to go by. A file that cannot be
 * read is none; who opens it next says why.
 */
export async function isPictureFile(path: string): Promise<boolean> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    return isPicture(buffer.subarray(0, bytesRead));
  } catch {
    return false;
  } finally {
    await file?.close();
  }
}

function isPicture(header: Buffer): boolean {
  const text = header.toString('latin1');
  return text.startsWith('\xff\xd8\xff') || text.startsWith('\x89PNG\r\n') || /^RIFF[\s\S]{4}WEBP/.test(text);
}
