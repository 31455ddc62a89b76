/** Builds safetensors bytes from parts, valid or not. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @param length what the length field says; the header's own length by default */
export function fileBytes(header: string | Uint8Array, dataBytes: number, length?: bigint): Buffer {
  const json = Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([prefix, json, Buffer.alloc(dataBytes)]);
}

let counter = 0;

export function writeBytes(folder: string, bytes: Uint8Array): string {
  const path = join(folder, `${counter++}.safetensors`);
  writeFileSync(path, bytes);
  return path;
}
