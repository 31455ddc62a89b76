/** Rules about the sources as a whole that neither the compiler nor the linter checks. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../src/base/package-root.js';

const MAX_LINES = 500;

/** A layer imports itself and layers of a lower number. Equal numbers stand side by side and do not know each other. */
const LAYERS: Readonly<Record<string, number>> = {
  base: 0,
  backend: 1,
  ops: 2,
  distributed: 3,
  model: 3,
  data: 4,
  adapters: 5,
  train: 5,
  infer: 5,
  eval: 6,
  demo: 7,
  plan: 7,
  ablation: 8,
  cli: 9,
  'index.ts': 9,
};

interface Source {
  /** Relative to src/, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const folder = join(packageRoot(), 'src');

const sources: readonly Source[] = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
  .map((file) => ({ path: relative(folder, file).split(sep).join('/'), text: readFileSync(file, 'utf8') }));

const typescript = sources.filter(({ path }) => path.endsWith('.ts'));

const layerOf = (path: string): string => path.split('/')[0] ?? '';

/** Files of src/ that a file imports, types and lazy imports included. */
function importsOf({ path, text }: Source): string[] {
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) => match[1] ?? '');
  return specifiers.map((specifier) =>
    normalize(join(dirname(path), specifier))
      .split(sep)
      .join('/'),
  );
}

function mayImport(from: string, to: string): boolean {
  const [above, below] = [LAYERS[layerOf(from)], LAYERS[layerOf(to)]];
  return layerOf(from) === layerOf(to) || (above !== undefined && below !== undefined && below < above);
}

/** Source text with comments blanked, so that prose is free to say "as any reader knows". */
function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, (comment) => comment.replace(/[^\n]/g, ' '));
}

function linesMatching(pattern: RegExp): string[] {
  return typescript.flatMap(({ path, text }) =>
    code(text)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

describe('the layers of src', () => {
  it('are all known', () => {
    const unknown = sources.map(({ path }) => layerOf(path)).filter((layer) => LAYERS[layer] === undefined);
    expect([...new Set(unknown)]).toEqual([]);
    expect(new Set(typescript.map(({ path }) => layerOf(path))).size).toBeGreaterThan(8);
  });

  it('import downwards only', () => {
    const imports = typescript.flatMap((source) => importsOf(source).map((to) => [source.path, to] as const));
    expect(imports.length).toBeGreaterThan(200);
    expect(imports.filter(([from, to]) => !mayImport(from, to)).map((pair) => pair.join(' imports '))).toEqual([]);
  });

  it('keep infer free of train, so that serving needs no optimizer', () => {
    expect(mayImport('infer/run-serve.ts', 'train/trainer.js')).toBe(false);
    expect(mayImport('train/trainer.ts', 'infer/generate.js')).toBe(false);
    expect(mayImport('ops/linear.ts', 'model/config.js')).toBe(false);
    expect(mayImport('eval/score.ts', 'infer/generate.js')).toBe(true);
  });
});

describe('every file of src', () => {
  it(`has at most ${MAX_LINES} lines`, () => {
    const long = sources.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
    expect(long.filter(({ lines }) => lines > MAX_LINES)).toEqual([]);
  });

  it('is free of any, casts through unknown and silenced checkers', () => {
    expect(linesMatching(/:\s*any\b|<any\b|\bany\[\]|\bas any\b|\bas unknown as\b/)).toEqual([]);
    const silenced = typescript.filter(({ text }) => /@ts-(ignore|nocheck|expect-error)|biome-ignore/.test(text));
    expect(silenced.map(({ path }) => path)).toEqual([]);
  });

  it('draws random numbers through Rng only, so that a seed repeats a run', () => {
    expect(linesMatching(/Math\.random\(/)).toEqual([]);
  });
});
