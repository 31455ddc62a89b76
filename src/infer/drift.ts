/** Whether two model folders answer alike: their logits on the same prompts, and how far they are apart. */
import { readFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs-core';
import type { BackendOptions } from '../backend/select.js';
import { CheckpointError, ConfigError } from '../base/errors.js';
import { log } from '../base/logger.js';
import { openWeights } from '../model/weights/open-weights.js';
import { MimicChat } from './mimic-chat.js';
import { argmax } from './sampling.js';
import type { VideoSession } from './video-session.js';

/** Text of two scripts, a question with options, an open task. */
const PROMPTS = [
  'Describe what happens in the video.',
  'Which title fits the video? A. A quiet morning B. Street food at night C. How to tie a knot D. The last goal',
  '请用一句话概括这个视频的内容。',
  'Write a comment that a viewer would leave under this video.',
];
/** Tokens compared after each prompt, besides the one that follows it. */
const CONTINUATION = 8;
/**
 * Accepted drift as a part of the largest logit. In fp32 both ways differ by the order of sums alone. In bf16 the merged weight
 * is rounded, to 2^-9 of itself, and what the adapter adds below that is lost.
 */
const TOLERANCE = { fp32: 1e-4, bf16: 0.05 } as const;

export interface DriftRequest {
  readonly prompts: readonly string[];
  readonly video?: string | undefined;
  readonly tolerance?: number | undefined;
}

export interface Drift {
  readonly prompts: number;
  /** Logit vectors compared. */
  readonly positions: number;
  readonly maxAbsDifference: number;
  readonly maxAbsLogit: number;
  /** Largest difference that the adapter itself makes: what a merge without effect would differ by. */
  readonly adapterEffect: number;
  /** Part of the positions whose most likely token is the same. */
  readonly top1Agreement: number;
  readonly tolerance: number;
}

/** @param file a prompt a line; absent: four built-in ones. @throws ConfigError E_PROMPTS_FILE */
export async function readPrompts(file: string | undefined): Promise<readonly string[]> {
  if (file === undefined) return PROMPTS;
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ConfigError('E_PROMPTS_FILE', `--prompts ${file}: cannot be read (${(cause as Error).message}).`, {
      cause,
    });
  });
  const prompts = text.split('\n').map((line) => line.trim());
  const filled = prompts.filter((line) => line !== '');
  if (filled.length > 0) return filled;
  throw new ConfigError('E_PROMPTS_FILE', `--prompts ${file}: expected a prompt a line, got none.`);
}

/**
 * Runs every prompt through both folders, one model in memory at a time. The second one is fed the tokens that the first
 * one chose, so that a near tie does not part their ways.
 *
 * @throws CheckpointError E_MERGE_DRIFT above the tolerance, or above half of what the adapter itself changes
 */
export async function checkDrift(
  reference: string,
  changed: string,
  request: DriftRequest,
  backend: BackendOptions,
): Promise<Drift> {
  const branches = request.video === undefined ? [false] : [false, true];
  const asked: Run[] = branches.flatMap((withVideo) => request.prompts.map((prompt) => ({ prompt, withVideo })));
  const { expected, plain, runs } = await withModel(reference, backend, async (chat) => {
    const expected = await logitsOf(chat, asked, request.video);
    const runs = asked.map((run, i): Run => {
      const tokens = (expected[i] ?? []).slice(0, -1).map((logits_V) => argmax(logits_V));
      return { ...run, forced: tokens };
    });
    removeAdapters(chat);
    return { expected, runs, plain: await logitsOf(chat, runs, request.video) };
  });
  const got = await withModel(changed, backend, (chat) => logitsOf(chat, runs, request.video));
  const exact = backend.precision !== 'bf16' && (await isFp32(changed));
  const tolerance = request.tolerance ?? (exact ? TOLERANCE.fp32 : TOLERANCE.bf16);
  const adapterEffect = compareLogits(expected.flat(), plain.flat()).maxAbsDifference;
  const drift = { prompts: runs.length, ...compareLogits(expected.flat(), got.flat()), adapterEffect, tolerance };
  refuseDrift(drift);
  log.info(`verified on ${drift.prompts} prompts: ${describe(drift)}`);
  return drift;
}

function describe(drift: Drift): string {
  const { maxAbsDifference, maxAbsLogit, adapterEffect, top1Agreement, positions, tolerance } = drift;
  return (
    `largest difference ${maxAbsDifference.toExponential(2)} beside logits up to ${maxAbsLogit.toFixed(2)} ` +
    `(accepted: ${tolerance} of them), the adapter's own effect is ${adapterEffect.toExponential(2)}, ` +
    `same first choice at ${(100 * top1Agreement).toFixed(1)} % of ${positions} positions`
  );
}

function refuseDrift(drift: Drift): void {
  const isFar = !(drift.maxAbsDifference <= drift.tolerance * drift.maxAbsLogit);
  // An adapter that does nothing, as at the start of a run, leaves nothing to compare with.
  const isLost = drift.adapterEffect > 0 && !(drift.maxAbsDifference <= drift.adapterEffect / 2);
  if (!isFar && !isLost) return;
  const what = isFar ? 'the merged model is not the one it was made from' : 'the adapter got lost in the merge';
  throw new CheckpointError('E_MERGE_DRIFT', `${what}: ${describe(drift)}.`, {
    hint: isFar
      ? 'Merge with --dtype fp32, or accept more with --tolerance.'
      : 'What it changes is below the rounding of the weights: merge with --dtype fp32, or train it further.',
    context: { ...drift },
  });
}

/** At B = 0 an adapter does nothing. */
function removeAdapters({ parts }: MimicChat): void {
  for (const parameter of parts.model.parameters.list()) {
    if (parameter.name.endsWith('.lora_B.weight')) parameter.value = tf.zeros([...parameter.shape]);
  }
}

interface Run {
  readonly prompt: string;
  readonly withVideo: boolean;
  /** Tokens to follow; without them the most likely ones. */
  readonly forced?: readonly number[];
}

async function withModel<T>(dir: string, backend: BackendOptions, use: (chat: MimicChat) => Promise<T>): Promise<T> {
  const chat = await MimicChat.load(dir, backend);
  try {
    return await use(chat);
  } finally {
    chat.dispose();
  }
}

/** @returns for each run the logits of its positions */
async function logitsOf(chat: MimicChat, runs: readonly Run[], video: string | undefined): Promise<Float32Array[][]> {
  const sessions = new Map<boolean, VideoSession>();
  try {
    sessions.set(false, chat.textOnly());
    if (video !== undefined) sessions.set(true, await chat.encode(video));
    const logits: Float32Array[][] = [];
    for (const { prompt, withVideo, forced } of runs) {
      const session = sessions.get(withVideo);
      const options = { count: CONTINUATION, ...(forced === undefined ? {} : { forced }) };
      logits.push((await session?.promptLogits(prompt, options)) ?? []);
    }
    return logits;
  } finally {
    for (const session of sessions.values()) session.dispose();
  }
}

async function isFp32(dir: string): Promise<boolean> {
  const source = await openWeights(dir);
  const dtypes = new Set([...source.tensors.values()].map(({ dtype }) => dtype));
  await source.close();
  return !dtypes.has('BF16') && !dtypes.has('F16');
}

function compareLogits(
  expected: readonly Float32Array[],
  got: readonly Float32Array[],
): Omit<Drift, 'prompts' | 'tolerance' | 'adapterEffect'> {
  let maxAbsDifference = 0;
  let maxAbsLogit = 0;
  let same = 0;
  for (const [i, a] of expected.entries()) {
    const b = got[i] ?? new Float32Array(0);
    if (argmax(a) === argmax(b)) same++;
    for (const [j, value] of a.entries()) {
      // A vector that is too short must not pass as one without difference; values that are no numbers argmax refused.
      maxAbsDifference = Math.max(maxAbsDifference, Math.abs(value - (b[j] ?? Number.POSITIVE_INFINITY)));
      maxAbsLogit = Math.max(maxAbsLogit, Math.abs(value));
    }
  }
  return {
    positions: expected.length,
    maxAbsDifference,
    maxAbsLogit,
    top1Agreement: same / Math.max(1, expected.length),
  };
}
