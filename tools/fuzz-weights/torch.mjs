/**
 * Target `torch`: archives of PyTorch (test/model/weights/torch/archives), mutated as a whole or in their pickle alone. An
 * accepted tensor must lie inside its archive's entries, and no read beyond the file.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { mutateBytes } from './mutate.mjs';

const ARCHIVES = fileURLToPath(new URL('../../test/model/weights/torch/archives/', import.meta.url));
/** The opcodes that the reader knows and those that run things. */
const OPCODES = [...'\x80\x95(N\x88\x89KMJ\x8aG\x8cX}])\x85\x86\x87tae us qr\x94hjc\x93Rb.Q\x81\x92ioP\x82012TUBC'].map(
  (symbol) => symbol.charCodeAt(0),
);
const GLOBALS = [
  ...[
    'cos\nsystem\n',
    'cbuiltins\neval\n',
    'ctorch\nFloatStorage\n',
    'ctorch\nLongStorage\n',
    'ccollections\nOrderedDict\n',
  ],
  ...[
    'ctorch._utils\n_rebuild_tensor_v2\n',
    'ctorch._utils\n_rebuild_parameter\n',
    'ctorch\nSize\n',
    'ctorch\nfloat32\n',
  ],
].map((text) => Buffer.from(text));

class MemoryFile {
  path = 'fuzz';
  constructor(bytes) {
    this.bytes = bytes;
    this.byteLength = bytes.length;
  }
  async read(byteLength, position) {
    if (!(position >= 0 && byteLength >= 0 && position + byteLength <= this.bytes.length)) {
      throw new RangeError(`read of ${byteLength} bytes at ${position} of ${this.bytes.length}`);
    }
    return Uint8Array.from(this.bytes.subarray(position, position + byteLength));
  }
}

export async function torchTarget(load) {
  const { readTorchArchive } = await load('model/weights/torch/torch-archive.js');
  const { readZipDirectory } = await load('model/weights/torch/zip-directory.js');
  const names = readdirSync(ARCHIVES)
    .filter((name) => name !== 'expected.json')
    .sort();
  const seeds = [];
  for (const name of names) {
    const bytes = readFileSync(ARCHIVES + name);
    const entries = name === 'legacy.bin' ? undefined : await readZipDirectory(new MemoryFile(bytes));
    const pickle = entries && [...entries].find(([entry]) => entry.endsWith('/data.pkl'))?.[1];
    seeds.push({ bytes, pickle });
  }
  return {
    make: (rng) => makeCase(rng, rng.pick(seeds)),
    run: (bytes) => readTorchArchive(new MemoryFile(bytes)),
    check: async ({ tensors }, bytes) => {
      const entries = [...(await readZipDirectory(new MemoryFile(bytes))).values()];
      for (const [name, { byteOffset, byteLength, shape }] of tensors) {
        if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) return `${name} has shape [${shape}]`;
        const end = byteOffset + byteLength;
        const inside = entries.some(
          (entry) => byteOffset >= entry.byteOffset && end <= entry.byteOffset + entry.byteLength,
        );
        if (!inside || end > bytes.length) return `${name} lies at ${byteOffset} to ${end}, outside every entry`;
      }
      return tensors.size > 0 ? undefined : 'accepted without tensors';
    },
  };
}

/** Other small integers: sizes, strides, offsets, lengths of storages, epochs. */
function changeNumbers(rng, pickle) {
  const bytes = Buffer.from(pickle);
  const places = [...bytes.keys()].filter((at) => bytes[at] === 0x4b && at + 1 < bytes.length);
  for (let edits = 1 + rng.int(2); edits > 0; edits--)
    bytes[rng.pick(places) + 1] = rng.int(3) ? rng.int(7) : rng.int(256);
  return bytes;
}

/** Mutations of the pickle keep its length where they can: the archive around it then stays valid. */
function makeCase(rng, { bytes, pickle }) {
  if (pickle === undefined || rng.int(4) === 0) return mutateBytes(rng, bytes, OPCODES);
  const inner = bytes.subarray(pickle.byteOffset, pickle.byteOffset + pickle.byteLength);
  let mutated = rng.int(3) === 0 ? changeNumbers(rng, inner) : mutateBytes(rng, inner, OPCODES);
  if (rng.int(4) === 0) {
    const at = rng.int(mutated.length + 1);
    mutated = Buffer.concat([mutated.subarray(0, at), rng.pick(GLOBALS), mutated.subarray(at)]);
  }
  const fitted = Buffer.alloc(inner.length, '.');
  mutated.copy(fitted, 0, 0, inner.length);
  const whole = Buffer.from(bytes);
  fitted.copy(whole, pickle.byteOffset);
  return whole;
}
