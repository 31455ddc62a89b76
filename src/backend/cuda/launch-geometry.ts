/**
 * How many threads a kernel gets. Element kernels (parameter `n`) get a thread an element, row kernels (parameter `rows`)
 * a block a row, both up to a grid that fills the GPU a few times over; their loops cover what is left.
 *
 * The number of threads of a row depends on the row's length alone: it fixes the order of summation.
 */
import type { Signature } from '../signatures.js';
import type { DeviceProperties } from './context.js';

export interface Geometry {
  readonly grid: number;
  readonly block: number;
}

export const ELEMENT_BLOCK = 256;
const WARP = 32;
/** Elements of a row that a thread takes before the block grows. */
const ELEMENTS_PER_THREAD = 8;
const SMALLEST_ROW_BLOCK = 64;
const LARGEST_ROW_BLOCK = 1024;
/** Grids larger than this many times what runs at once gain nothing: each further block only starts and ends. */
const WAVES = 4;
const MOST_BLOCKS_PER_MULTIPROCESSOR = 32;

/** Names of the parameter that holds a row's length, where a file's kernels have one; the first that exists counts. */
const LENGTH_NAMES = ['cols', 'inner', 'depth', 'half', 'width', 'length', 'channels', 'keys'];
/** Rows whose lanes are not counted by a parameter. */
const LANES: Readonly<Record<string, number>> = { sum_columns: 64, transpose_last_two: 256 };

/** How to read a kernel's amount of work from its parameters. */
export interface WorkRule {
  readonly kind: 'elements' | 'rows' | 'explicit';
  /** Place of `n` or `rows` among the parameters. */
  readonly workIndex: number;
  /** Place of the row's length, or -1. */
  readonly lengthIndex: number;
  readonly lanes: number;
}

export function workRule({ name, parameterNames }: Signature): WorkRule {
  const rows = parameterNames.indexOf('rows');
  const elements = parameterNames.indexOf('n');
  const length = LENGTH_NAMES.find((candidate) => parameterNames.includes(candidate));
  return {
    kind: rows >= 0 ? 'rows' : elements >= 0 ? 'elements' : 'explicit',
    workIndex: rows >= 0 ? rows : elements,
    lengthIndex: length === undefined ? -1 : parameterNames.indexOf(length),
    lanes: LANES[name.replace(/_bf16$/, '')] ?? ELEMENT_BLOCK,
  };
}

/** Whole warps: reductions exchange values among all 32 lanes. */
export function rowBlock(length: number): number {
  if (length <= WARP) return WARP;
  const wanted = Math.ceil(length / ELEMENTS_PER_THREAD / WARP) * WARP;
  return Math.min(LARGEST_ROW_BLOCK, Math.max(SMALLEST_ROW_BLOCK, wanted));
}

function mostBlocks(block: number, { multiprocessors, threadsPerMultiprocessor }: DeviceProperties): number {
  const resident = Math.min(MOST_BLOCKS_PER_MULTIPROCESSOR, Math.floor(threadsPerMultiprocessor / block));
  return WAVES * multiprocessors * Math.max(1, resident);
}

/** A grid has one block at least: an empty kernel may still have a remainder to do. */
export function geometry(rule: WorkRule, parameters: readonly number[], properties: DeviceProperties): Geometry {
  const work = parameters[rule.workIndex] ?? 0;
  if (rule.kind === 'elements') {
    const blocks = Math.min(Math.ceil(work / ELEMENT_BLOCK), mostBlocks(ELEMENT_BLOCK, properties));
    return { grid: Math.max(1, blocks), block: ELEMENT_BLOCK };
  }
  const block = rowBlock(rule.lengthIndex < 0 ? rule.lanes : (parameters[rule.lengthIndex] ?? rule.lanes));
  return { grid: Math.max(1, Math.min(work, mostBlocks(block, properties))), block };
}
