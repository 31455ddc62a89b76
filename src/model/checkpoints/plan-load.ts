/**
 * From a file's tensors to a model's parameters, before any value is read: rows for each parameter, and everything that
 * does not fit, all at once.
 */
import type { ModelConfig } from '../config.js';
import type { Parameter, ParameterStore, Part } from '../parameters.js';
import { widener } from '../weights/dtype.js';
import type { RowRange, SourceTensor, WeightSource } from '../weights/source.js';
import { type DetectedLayout, detectLayout } from './detect-layout.js';
import { reasonToIgnore } from './ignored-names.js';
import type { Layout, NamedRows } from './layout.js';
import type { LoadProblem } from './load-problems.js';
import { type PlainNames, plainNames, type Wrapping } from './plain-names.js';

export interface LoadTarget {
  readonly parameters: ParameterStore;
  readonly config: ModelConfig;
}

/** W += scale B A, for adapters on parts that have none here. */
export interface Merge {
  readonly a: string;
  readonly b: string;
}

export interface LoadPlan {
  readonly layout: Layout;
  /** Why this layout, for the log. */
  readonly reason: string;
  readonly wrapping: Wrapping;
  /** Files that values are read from. */
  readonly files: readonly string[];
  /** By parameter name: pieces from top to bottom. */
  readonly rows: ReadonlyMap<string, readonly RowRange[]>;
  /** By parameter name: adapters that are merged into it when it is loaded. */
  readonly merges: ReadonlyMap<string, Merge>;
  /** Tensors that are left out, with the reason. */
  readonly ignored: readonly { readonly name: string; readonly reason: string }[];
  /** Parts of the model that the file holds nothing of. */
  readonly absentParts: readonly Part[];
  readonly problems: readonly LoadProblem[];
}

/**
 * A part of which the file holds nothing is absent, no problem; one of which it holds some must be whole, except in a PEFT
 * adapter, which may hold single modules (`modules_to_save`).
 *
 * @param known the layout, where it need not be found out
 * @throws CheckpointError E_WEIGHTS_LAYOUT when no name is known
 */
export function planLoad(
  target: LoadTarget,
  source: Pick<WeightSource, 'path' | 'tensors'>,
  known?: DetectedLayout,
): LoadPlan {
  const plain = plainNames(source.tensors);
  const { layout, reason } = known ?? detectLayout(source.path, plain.tensors.keys(), target.config.language);
  return new Planner(target, layout, plain).plan(reason);
}

/** What a projector that serves both branches is reached through: an ablation's own, in no base. */
const WIDTH_ADAPTER = /^(spatial|temporal)_width_adapter\.weight$/;

class Planner {
  private readonly rows = new Map<string, RowRange[]>();
  private readonly merges = new Map<string, Merge>();
  private readonly ignored: { name: string; reason: string }[] = [];
  private readonly problems: LoadProblem[] = [];
  private readonly used = new Set<string>();

  private readonly tensors: ReadonlyMap<string, SourceTensor>;
  private readonly isAdapter: boolean;

  constructor(
    private readonly target: LoadTarget,
    private readonly layout: Layout,
    private readonly plain: PlainNames,
  ) {
    this.tensors = plain.tensors;
    this.isAdapter = plain.wrapping.startsWith('PEFT');
  }

  plan(reason: string): LoadPlan {
    const { plain } = this;
    const absentParts = this.placeParts();
    this.placeLeftovers(absentParts);
    for (const { name, plain: other } of plain.doubles) {
      this.problems.push({ kind: 'refused', name, reason: `a second tensor for ${other}; one adapter can be loaded` });
    }
    for (const name of plain.replaced) this.ignored.push({ name, reason: 'PEFT trained a copy of it, which is used' });
    const { layout, rows, merges, ignored, problems } = this;
    const files = [...new Set(Array.from(this.used, (name) => this.tensors.get(name)?.file ?? ''))];
    return { layout, reason, wrapping: plain.wrapping, files, rows, merges, ignored, absentParts, problems };
  }

  /** @returns the parts of which the file holds nothing */
  private placeParts(): Part[] {
    const absent: Part[] = [];
    for (const [part, parameters] of this.parametersByPart()) {
      const located = parameters.map((parameter) => ({ parameter, at: this.locate(parameter) }));
      const isHeld = located.some(({ at }) => isPieces(at) && at.some(({ name }) => this.tensors.has(name)));
      if (!isHeld || (part === 'spatial projector' && this.setAsideProjector(located))) absent.push(part);
      else for (const { parameter, at } of located) this.place(parameter, at, this.isAdapter && part !== 'lora');
      if (part !== 'lora' && part !== 'language model')
        for (const { parameter, at } of located) this.findMerge(parameter, at);
    }
    return absent;
  }

  private parametersByPart(): Map<Part, Parameter[]> {
    const byPart = new Map<Part, Parameter[]>();
    for (const parameter of this.target.parameters.list()) {
      byPart.set(parameter.part, [...(byPart.get(parameter.part) ?? []), parameter]);
    }
    return byPart;
  }

  private locate({ name, part, shape }: Parameter): Located {
    if (!this.layout.parts.has(part)) return { reason: `not in files of layout ${this.layout.id}` };
    return this.layout.locate(name, shape[0] ?? 1);
  }

  private place(parameter: Parameter, at: Located, optional: boolean): void {
    const isHeld = isPieces(at) && at.some(({ name }) => this.tensors.has(name));
    if (!isHeld && ((optional && isPieces(at)) || WIDTH_ADAPTER.test(parameter.name))) return;
    if (!isPieces(at)) {
      this.problems.push({ kind: 'refused', name: parameter.name, reason: at.reason });
      return;
    }
    const rows: RowRange[] = [];
    for (const piece of at) {
      const tensor = this.tensors.get(piece.name);
      if (tensor === undefined) {
        if (at.find(({ name }) => name === piece.name) === piece) {
          this.problems.push({ kind: 'missing', name: piece.name, parameter: parameter.name });
        }
        continue;
      }
      if (!this.used.has(piece.name)) this.check(tensor, expectedShape(parameter, at, piece.name));
      this.used.add(piece.name);
      rows.push({ tensor: tensor.name, start: piece.start ?? 0, count: piece.count ?? parameter.shape[0] ?? 1 });
    }
    this.rows.set(parameter.name, rows);
  }

  private check(tensor: SourceTensor, expected: readonly number[]): void {
    const { name, shape, dtype } = tensor;
    if (shape.join() !== expected.join()) this.problems.push({ kind: 'shape', name, got: shape, expected });
    if (widener(dtype) === undefined) this.problems.push({ kind: 'type', name, got: dtype });
  }

  /** InternVL's mlp1 can only start a spatial projector of its own width. */
  private setAsideProjector(located: readonly { parameter: Parameter; at: Located }[]): boolean {
    const { projector, language } = this.target.config;
    const hidden = projector.spatialHidden ?? language.hiddenSize;
    if (this.layout.id === 'own' || hidden === language.hiddenSize) return false;
    const pieces = located.flatMap(({ parameter, at }) =>
      isPieces(at) ? at.map(({ name }) => ({ parameter, name })) : [],
    );
    const fits = pieces.every(({ parameter, name }) => this.tensors.get(name)?.shape.join() === parameter.shape.join());
    if (fits) return false;
    for (const { name } of pieces) {
      const tensor = this.tensors.get(name);
      if (tensor === undefined) continue;
      this.used.add(name);
      this.ignored.push({
        name: tensor.name,
        reason: `projector.spatialHidden is ${hidden}: the projector starts fresh`,
      });
    }
    return true;
  }

  /** An adapter on a linear that has none here: it becomes part of the weight. */
  private findMerge({ name, shape }: Parameter, at: Located): void {
    const [piece, ...more] = isPieces(at) ? at : [];
    if (piece === undefined || more.length > 0 || shape.length !== 2) return;
    const module = piece.name.replace(/\.weight$/, '');
    const [a, b] = [`${module}.lora_A.weight`, `${module}.lora_B.weight`].map((key) => this.tensors.get(key));
    if (a === undefined || b === undefined) return;
    this.used.add(`${module}.lora_A.weight`).add(`${module}.lora_B.weight`);
    const rank = a.shape[0] ?? 0;
    this.check(a, [rank, shape[1] ?? 0]);
    this.check(b, [shape[0] ?? 0, rank]);
    this.merges.set(name, { a: a.name, b: b.name });
  }

  private placeLeftovers(absent: readonly Part[]): void {
    const extras: string[] = [];
    for (const [plain, { name }] of this.tensors) {
      if (this.used.has(plain)) continue;
      const reason = reasonToIgnore(plain, this.target.config);
      if (reason !== undefined) this.ignored.push({ name, reason });
      else if (/\.lora_[AB]\.weight$/.test(plain))
        this.problems.push({ kind: 'refused', name, reason: this.adapterReason(plain) });
      else {
        extras.push(plain);
        this.problems.push({ kind: 'extra', name });
      }
    }
    this.missOfAbsent(absent, extras);
  }

  private adapterReason(plain: string): string {
    const { lora, ablate, language } = this.target.config;
    const target = plain.split('.').at(-3) ?? '';
    if (!plain.includes('language_model.'))
      return `an adapter on ${target}, which cannot be merged here: merge it with PEFT first`;
    if (ablate === 'no-lora' || lora.rank === 0) return `an adapter on ${target}, and lora.rank is 0 here`;
    const fused = language.family === 'internlm2' && /\.self_attn\.[qkv]_proj\./.test(plain);
    if (fused) {
      return `an adapter on ${target} alone, where wqkv is one linear: convert it with mimic weights import-peft, or merge it with PEFT`;
    }
    return `an adapter on ${target}, which lora.targets does not name`;
  }

  /** Names that are all a little off leave a part with nothing found: then what it wants is worth naming. */
  private missOfAbsent(absent: readonly Part[], extras: readonly string[]): void {
    const stems = new Set(extras.map(stem));
    for (const parameter of this.target.parameters.list()) {
      if (!absent.includes(parameter.part) || parameter.part === 'lora' || !this.layout.parts.has(parameter.part))
        continue;
      const at = this.locate(parameter);
      for (const name of isPieces(at) ? new Set(at.map((piece) => piece.name)) : []) {
        if (stems.has(stem(name)) && !this.used.has(name))
          this.problems.push({ kind: 'missing', name, parameter: parameter.name });
      }
    }
  }
}

type Located = ReturnType<Layout['locate']>;

function isPieces(at: Located): at is readonly NamedRows[] {
  return !('reason' in at);
}

const stem = (name: string): string => /^(?:model\.)?[^.]*/.exec(name)?.[0] ?? '';

/** What a tensor's shape should be: as many rows as are taken of it, and the parameter's other dimensions. */
function expectedShape(parameter: Parameter, pieces: readonly NamedRows[], name: string): number[] {
  const [rows = 1, ...rest] = parameter.shape;
  const taken = pieces.filter((piece) => piece.name === name);
  return [taken.reduce((sum, { count }) => sum + (count ?? rows), 0), ...rest];
}
