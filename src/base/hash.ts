import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** SHA-256 of bytes or of a string's UTF-8, in hexadecimal. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** SHA-256 of what a stream yields, without holding it in memory. */
export async function sha256Stream(chunks: AsyncIterable<string | Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

/** SHA-256 of a file of any size. Rejects with the system's error when it cannot be read. */
export async function sha256File(path: string): Promise<string> {
  return sha256Stream(createReadStream(path));
}
