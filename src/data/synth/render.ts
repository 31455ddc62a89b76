/** Video files of synthetic clips: drawn, encoded in groups, and left alone when they are there already. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Rng } from '../../base/rng.js';
import { drawClip } from './clip.js';
import { ENCODER_ARGS, encodeClips } from './encode.js';
import type { Facts } from './facts.js';

/** Goes up whenever the same facts and random numbers give other pixels. */
const DRAWING_VERSION = 1;

export interface ClipPlan {
  readonly id: string;
  readonly facts: Facts;
  /** Draws the pixels; not advanced. */
  readonly rng: Rng;
}

/** What a group of files was made from, and what came out. */
interface GroupReceipt {
  readonly recipe: string;
  readonly sha256: readonly string[];
}

/**
 * Renders `plans` to `videosDir`/<id>.mp4 with one ffmpeg. A group is rendered whole or
 * not at all, since the encoder may look across its clips: skipped when its receipt names the same recipe and all its files have the
 * recorded SHA-256.
 *
 * @returns whether it had to be rendered
 * @throws BackendError E_FFMPEG_*; the abort reason of `signal`
 */
export async function renderGroup(
  name: string,
  plans: readonly ClipPlan[],
  videosDir: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const receiptPath = join(videosDir, `.${name}.json`);
  const recipe = sha256(
    JSON.stringify([DRAWING_VERSION, ENCODER_ARGS, plans.map(({ id, facts, rng }) => [id, facts, rng.state()])]),
  );
  const files = plans.map(({ id }) => join(videosDir, `${id}.mp4`));
  if (await isCurrent(receiptPath, recipe, files)) return false;
  const workDir = join(videosDir, `.${name}.${process.pid}.partial`);
  await mkdir(workDir, { recursive: true });
  try {
    const rendered = await encodeClips(drawAll(plans), workDir, signal);
    const hashes: string[] = [];
    for (const [i, file] of files.entries()) {
      const partial = rendered[i] ?? '';
      hashes.push(sha256(await readFile(partial)));
      await rename(partial, file);
    }
    await writeFile(receiptPath, JSON.stringify({ recipe, sha256: hashes } satisfies GroupReceipt));
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
  return true;
}

function* drawAll(plans: readonly ClipPlan[]): Generator<Uint8Array> {
  for (const { facts, rng } of plans) yield drawClip(facts, rng.fork('pixels'));
}

async function isCurrent(receiptPath: string, recipe: string, files: readonly string[]): Promise<boolean> {
  const receipt = await readIfThere(receiptPath);
  if (receipt === undefined) return false;
  let recorded: Partial<GroupReceipt>;
  try {
    recorded = JSON.parse(receipt.toString('utf8')) as Partial<GroupReceipt>;
  } catch {
    // Cut short by a crash: as good as none.
    return false;
  }
  if (recorded.recipe !== recipe) return false;
  for (const [i, file] of files.entries()) {
    const content = await readIfThere(file);
    if (content === undefined || sha256(content) !== recorded.sha256?.[i]) return false;
  }
  return true;
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
