/** What keeps a file from being loaded into a model: every fault by name, layers that share one on one line. */
import { CheckpointError } from '../../base/errors.js';
import { nearest } from '../../base/nearest.js';

export type LoadProblem =
  /** `name` is what the file would call it, `parameter` what we do. */
  | { readonly kind: 'missing'; readonly name: string; readonly parameter: string }
  | { readonly kind: 'extra'; readonly name: string }
  | {
      readonly kind: 'shape';
      readonly name: string;
      readonly got: readonly number[];
      readonly expected: readonly number[];
    }
  | { readonly kind: 'type'; readonly name: string; readonly got: string }
  | { readonly kind: 'refused'; readonly name: string; readonly reason: string };

const CODES: Readonly<Record<LoadProblem['kind'], string>> = {
  missing: 'missing',
  extra: 'not expected',
  shape: 'wrong shape',
  type: 'wrong type',
  refused: 'refused',
};

/** @returns undefined when there are none */
export function loadError(path: string, layout: string, problems: readonly LoadProblem[]): CheckpointError | undefined {
  if (problems.length === 0) return undefined;
  const counts = Object.entries(CODES)
    .map(([kind, words]) => [problems.filter((problem) => problem.kind === kind).length, words] as const)
    .filter(([count]) => count > 0)
    .map(([count, words]) => `${count} ${words}`);
  const message = `${path}: ${problems.length} tensors do not fit (${counts.join(', ')}), read as ${layout}:`;
  return new CheckpointError('E_WEIGHTS_MISMATCH', [message, ...describeProblems(problems)].join('\n  '), {
    hint: 'The model.* section must describe the model that the weights were saved with.',
    context: { problems },
  });
}

/** A file of another kind altogether would fill the screen. */
const MAX_LINES = 400;
/** Beyond it the distance to every name would take long, and say little. */
const MAX_GUESSED = 400;

/** One line a fault; `layers.0` to `layers.31` with the same fault become `layers.{0-31}`. */
export function describeProblems(problems: readonly LoadProblem[]): string[] {
  const guess = guesser(problems);
  const lines = new Map<string, number[]>();
  for (const problem of problems) {
    const line = `${pattern(problem.name)}: ${faultOf(problem, guess)}`;
    const layer = layerOf(problem.name);
    const layers = lines.get(line) ?? [];
    if (layer !== undefined) layers.push(layer);
    lines.set(line, layers);
  }
  const shown = Array.from(lines, ([line, layers]) => line.replaceAll(LAYER_MARK, ranges(layers)));
  return shown.length <= MAX_LINES ? shown : [...shown.slice(0, MAX_LINES), `and ${shown.length - MAX_LINES} more`];
}

/** The nearest name among the faults of the opposite kind: what is missing is often there under another name. */
function guesser(problems: readonly LoadProblem[]): (problem: LoadProblem) => string | undefined {
  const named = (kind: LoadProblem['kind']) =>
    new Set(problems.filter((problem) => problem.kind === kind).map(({ name }) => pattern(name)));
  const [missing, extra] = [named('missing'), named('extra')];
  if (missing.size + extra.size > MAX_GUESSED) return () => undefined;
  const known = new Map<string, string | undefined>();
  return ({ kind, name }) => {
    const key = pattern(name);
    if (!known.has(key)) known.set(key, nearest(key, kind === 'missing' ? extra : missing));
    return known.get(key);
  };
}

function faultOf(problem: LoadProblem, guess: (problem: LoadProblem) => string | undefined): string {
  switch (problem.kind) {
    case 'missing': {
      const [wanted, ours, near] = [pattern(problem.name), pattern(problem.parameter), guess(problem)];
      return `missing${ours === wanted ? '' : `, for ${ours}`}${near === undefined ? '' : `; nearest in the file: ${near}`}`;
    }
    case 'extra': {
      const near = guess(problem);
      return `in the file, not expected${near === undefined ? '' : `; nearest expected: ${near}`}`;
    }
    case 'shape':
      return `shape [${problem.got}] in the file, expected [${problem.expected}]`;
    case 'type':
      return `${problem.got} in the file, expected a float type (F16, BF16, F32, F64)`;
    case 'refused':
      return problem.reason;
  }
}

const LAYER_MARK = '\u0000';
const LAYER = /(?<=\b(?:layers?|blocks)\.)\d+(?=\.)/;

function pattern(name: string): string {
  return name.replace(LAYER, LAYER_MARK);
}

function layerOf(name: string): number | undefined {
  const digits = LAYER.exec(name)?.[0];
  return digits === undefined ? undefined : Number(digits);
}

/** 0,1,2,5 -> {0-2,5}; a single one stands bare. */
function ranges(layers: readonly number[]): string {
  const sorted = [...new Set(layers)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    let last = i;
    while (sorted[last + 1] === (sorted[last] ?? 0) + 1) last++;
    parts.push(last === i ? `${sorted[i]}` : `${sorted[i]}-${sorted[last]}`);
    i = last + 1;
  }
  return sorted.length === 1 ? `${sorted[0]}` : `{${parts.join(',')}}`;
}
