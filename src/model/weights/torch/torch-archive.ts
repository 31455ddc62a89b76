/**
 * Reads what torch.save wrote (a zip of `data.pkl` and one uncompressed entry for each storage) without running it.
 *
 * @source the layout is described in PyTorch's notes on serialization and in caffe2/serialize/inline_container.h
 */
import { CheckpointError } from '../../../base/errors.js';
import { bytesPerElement } from '../dtype.js';
import { type FileCodes, RangedFile } from '../ranged-file.js';
import type { TensorInfo } from '../safetensors-header.js';
import type { WeightFile } from '../weight-file.js';
import { clipped, quoted, type TensorRef } from './pickle-values.js';
import { findStateDict } from './state-dict.js';
import { TORCH_RULES } from './torch-rules.js';
import { unpickle } from './unpickler.js';
import { type RangeReader, readZipDirectory, type ZipEntry } from './zip-directory.js';

const CODES: FileCodes = { file: 'E_TORCH_FILE', truncated: 'E_TORCH_TRUNCATED' };
/** The pickle of 10,000 tensors takes 2 MB. */
const MAX_PICKLE_BYTES = 32 * 2 ** 20;
const SHOWN_PROBLEMS = 20;
const RESAVE = 'Save it again with a current PyTorch: torch.save(torch.load(path, weights_only=True), path).';

/** @throws CheckpointError E_TORCH_*, E_PICKLE_* */
export async function openTorchArchive(path: string): Promise<WeightFile> {
  const file = await RangedFile.open(path, CODES);
  try {
    return { file, ...(await readTorchArchive(file)) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Finds every tensor's bytes. Reads the directory and the pickle alone, and allocates nothing by what they claim. */
export async function readTorchArchive(file: RangeReader): Promise<Omit<WeightFile, 'file'>> {
  await refuseOtherFormats(file);
  const entries = await readZipDirectory(file);
  const prefix = archivePrefix(file, entries);
  await checkByteOrder(file, entries.get(`${prefix}byteorder`));
  const pickle = entries.get(`${prefix}data.pkl`);
  if (pickle === undefined || pickle.byteLength > MAX_PICKLE_BYTES) {
    throw archiveError(file, `data.pkl has ${pickle?.byteLength} bytes, allowed are ${MAX_PICKLE_BYTES}`);
  }
  const bytes = await file.read(pickle.byteLength, pickle.byteOffset);
  const { tensors, notes } = findStateDict(file.path, unpickle(file.path, bytes, TORCH_RULES));
  return { tensors: locate(file, entries, prefix, tensors), notes };
}

/** Files that torch.save wrote before 1.6 are bare pickles (0x80, protocol), later ones start like a zip. */
async function refuseOtherFormats(file: RangeReader): Promise<void> {
  const start = await file.read(Math.min(4, file.byteLength), 0);
  if (start[0] === 0x80) {
    const message = `${file.path}: it is in the format that torch.save wrote before PyTorch 1.6.`;
    throw new CheckpointError('E_TORCH_LEGACY', message, { hint: RESAVE });
  }
  if (Buffer.from(start).toString('latin1') !== 'PK\x03\x04') {
    throw archiveError(file, 'it does not start with a zip entry');
  }
}

function archivePrefix(file: RangeReader, entries: ReadonlyMap<string, ZipEntry>): string {
  const prefixes = [...entries.keys()].flatMap((name) => /^([^/]*\/)data\.pkl$/.exec(name)?.[1] ?? []);
  const [prefix] = prefixes;
  if (prefix === undefined || prefixes.length > 1) {
    throw archiveError(file, `it holds ${prefixes.length} entries named */data.pkl, expected one`);
  }
  return prefix;
}

async function checkByteOrder(file: RangeReader, entry: ZipEntry | undefined): Promise<void> {
  if (entry === undefined) return;
  const text = entry.byteLength > 8 ? '' : Buffer.from(await file.read(entry.byteLength, entry.byteOffset)).toString();
  if (text !== 'little') throw archiveError(file, `its byte order is ${JSON.stringify(text)}, expected "little"`);
}

/** All problems at once. */
function locate(
  file: RangeReader,
  entries: ReadonlyMap<string, ZipEntry>,
  prefix: string,
  tensors: ReadonlyMap<string, TensorRef>,
): Map<string, TensorInfo> {
  const located = new Map<string, TensorInfo>();
  const problems: string[] = [];
  for (const [name, { storage, offset, shape, strides }] of tensors) {
    const entry = entries.get(`${prefix}data/${storage.key}`);
    const elementBytes = bytesPerElement(storage.dtype);
    if (entry === undefined || entry.byteLength !== storage.elements * elementBytes) {
      const got = entry === undefined ? 'is absent' : `has ${entry.byteLength} bytes`;
      const expected = `${storage.elements} elements of ${storage.dtype}`;
      problems.push(`${clipped(name)}: its storage ${quoted(storage.key)} ${got}, expected ${expected}`);
    } else if (!isContiguous(shape, strides)) {
      problems.push(
        `${clipped(name)}: [${shape}] with strides [${strides}] is not contiguous; save it after .contiguous()`,
      );
    } else {
      // Without elements the other sizes may be anything; with some, their product is at most the storage's.
      const byteLength = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, elementBytes);
      const byteOffset = entry.byteOffset + offset * elementBytes;
      located.set(name, { dtype: storage.dtype, shape, byteLength, byteOffset });
    }
  }
  if (problems.length === 0) return located;
  const shown = problems.slice(0, SHOWN_PROBLEMS);
  if (shown.length < problems.length) shown.push(`... and ${problems.length - shown.length} more`);
  const message = `${file.path}: ${problems.length} tensors cannot be read:\n  ${shown.join('\n  ')}`;
  throw new CheckpointError('E_TORCH_TENSOR', message, { hint: RESAVE });
}

/** Row-major without gaps; an axis of one element may have any stride. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.includes(0)) return true;
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size !== 1 && strides[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

function archiveError(file: RangeReader, reason: string): CheckpointError {
  return new CheckpointError('E_TORCH_ARCHIVE', `${file.path}: invalid torch archive: ${reason}.`, {
    hint: 'It was not written by torch.save, or is damaged: download it again.',
  });
}
