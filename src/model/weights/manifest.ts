/**
 * MANIFEST.json of a checkpoint folder: size and SHA-256 of every file, written last. A folder without it is not a
 * checkpoint, and one whose files differ from it is refused.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../base/atomic-file.js';
import { CheckpointError } from '../../base/errors.js';
import { sha256, sha256File } from '../../base/hash.js';

export const MANIFEST_NAME = 'MANIFEST.json';
const VERSION = 1;

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const FileSchema = z.strictObject({
  /** A plain name: a manifest must not make a reader leave its folder. */
  name: z.string().regex(/^[\w-][\w.-]*$/),
  bytes: z.int().nonnegative(),
  sha256: hash,
});
const FactsSchema = z.strictObject({
  step: z.int().nonnegative(),
  backend: z.string(),
  /** SHA-256 of config.yaml's text: tells checkpoints of one configuration from others. */
  configHash: hash,
});
const ManifestSchema = z.strictObject({
  format: z.literal('mimic-checkpoint'),
  version: z.literal(VERSION),
  ...FactsSchema.shape,
  files: z.array(FileSchema),
  /** SHA-256 of the JSON of all fields above. */
  checksum: hash,
});

export type CheckpointFacts = z.output<typeof FactsSchema>;
export type Manifest = z.output<typeof ManifestSchema>;
type FileFacts = z.output<typeof FileSchema>;

/** Describes every file that `dir` holds. */
export async function writeManifest(dir: string, facts: CheckpointFacts): Promise<Manifest> {
  const files: FileFacts[] = [];
  for (const name of (await readdir(dir)).sort()) {
    const path = join(dir, name);
    files.push({ name, bytes: (await stat(path)).size, sha256: await sha256File(path) });
  }
  const { step, backend, configHash } = facts;
  const manifest = withChecksum({ format: 'mimic-checkpoint', version: VERSION, step, backend, configHash, files });
  await writeFileAtomic(join(dir, MANIFEST_NAME), serialize(manifest));
  return manifest;
}

/** @throws CheckpointError E_CHECKPOINT_MANIFEST when it is absent, not valid or not as it was written */
export async function readManifest(dir: string): Promise<Manifest> {
  const path = join(dir, MANIFEST_NAME);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new CheckpointError('E_CHECKPOINT_MANIFEST', `${path}: cannot be read (${(cause as Error).message}).`, {
      hint: 'Its save did not finish, or a copy left the file behind: take another checkpoint or copy the whole folder.',
      cause,
    });
  });
  const manifest = parseManifest(path, text);
  const { checksum: _, ...body } = manifest;
  // The whole text, not the fields alone: no byte of the file may differ.
  if (serialize(withChecksum(body)) !== text) {
    const message = `${path}: its text does not fit its checksum ${manifest.checksum}; it was damaged or edited.`;
    throw new CheckpointError('E_CHECKPOINT_MANIFEST', message, { hint: 'Take another checkpoint.' });
  }
  return manifest;
}

/** Compares sizes: cheap, and finds every file that is missing or cut off. @throws CheckpointError naming the file */
export async function checkSizes(dir: string, manifest: Manifest): Promise<void> {
  for (const file of manifest.files) {
    const found = await stat(join(dir, file.name)).catch((cause: unknown) => {
      throw damaged(dir, file, 'E_CHECKPOINT_FILE_MISSING', `no such file (${(cause as Error).message})`, cause);
    });
    if (!found.isFile() || found.size !== file.bytes) {
      throw damaged(dir, file, 'E_CHECKPOINT_FILE_SIZE', `the file has ${found.size} bytes`);
    }
  }
}

/** Reads every file and compares its hash; call before any of them is used. @throws CheckpointError naming the file */
export async function verifyCheckpointFiles(dir: string): Promise<Manifest> {
  const manifest = await readManifest(dir);
  await checkSizes(dir, manifest);
  for (const file of manifest.files) {
    const got = await sha256File(join(dir, file.name)).catch((cause: unknown) => {
      throw damaged(dir, file, 'E_CHECKPOINT_FILE_HASH', `reading failed (${(cause as Error).message})`, cause);
    });
    if (got !== file.sha256) throw damaged(dir, file, 'E_CHECKPOINT_FILE_HASH', `the file has SHA-256 ${got}`);
  }
  return manifest;
}

function parseManifest(path: string, text: string): Manifest {
  try {
    return ManifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    const message = `${path}: not a manifest of version ${VERSION}: ${reason}`;
    throw new CheckpointError('E_CHECKPOINT_MANIFEST', message, {
      hint: 'Take another checkpoint, or the program version that wrote this one.',
      cause,
    });
  }
}

function withChecksum(body: Omit<Manifest, 'checksum'>): Manifest {
  return { ...body, checksum: sha256(JSON.stringify(body)) };
}

function serialize(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

function damaged(dir: string, file: FileFacts, code: string, got: string, cause?: unknown): CheckpointError {
  const message = `${join(dir, file.name)}: ${got}, expected ${file.bytes} bytes with SHA-256 ${file.sha256}.`;
  return new CheckpointError(code, message, {
    hint: 'It was damaged after it was saved: copy it again, or remove its folder to resume from an earlier checkpoint.',
    context: { file: file.name, expectedSha256: file.sha256 },
    cause,
  });
}
