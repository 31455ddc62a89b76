/** Where the bytes of every parameter of a model folder lie: its own file over its base, a temporal base between them. */
import { CheckpointError } from '../base/errors.js';
import { OWN } from '../model/checkpoints/detect-layout.js';
import type { LayoutId } from '../model/checkpoints/layout.js';
import { loadError } from '../model/checkpoints/load-problems.js';
import type { FolderLoad } from '../model/checkpoints/model-folders.js';
import { type LoadTarget, type Merge, planLoad } from '../model/checkpoints/plan-load.js';
import { openWeights } from '../model/weights/open-weights.js';
import type { RowRange, WeightSource } from '../model/weights/source.js';

export interface Located {
  readonly source: WeightSource;
  readonly rows: readonly RowRange[];
  /** Adapters on parts that have none here: they become part of the weight. */
  readonly merges: readonly ScaledMerge[];
}

export interface ScaledMerge extends Merge {
  readonly source: WeightSource;
  /** The factor on B A. */
  readonly scale: number;
}

/** InternVL's training saves no alpha; it is always twice the rank. */
const IN_MODEL_SCALE = 2;

export class ParameterWeights {
  /** Layouts of the published files among the sources. */
  readonly layouts = new Set<LayoutId>();
  private readonly located = new Map<string, Located>();
  private readonly sources: WeightSource[] = [];

  private constructor(private readonly target: LoadTarget) {}

  /** @throws CheckpointError E_WEIGHTS_MISMATCH with every tensor that does not fit, and those of the files */
  static async of(target: LoadTarget, loads: readonly FolderLoad[]): Promise<ParameterWeights> {
    const weights = new ParameterWeights(target);
    try {
      for (const load of loads) await weights.add(load);
      return weights;
    } catch (error) {
      await weights.close();
      throw error;
    }
  }

  /** What was known of the parameters that the folder holds is replaced. */
  private async add({ path, isOwn, isTemporal, loraScale: scale = IN_MODEL_SCALE }: FolderLoad): Promise<void> {
    const source = await openWeights(path);
    this.sources.push(source);
    const plan = planLoad(this.target, source, isOwn === true && isTemporal !== true ? OWN : undefined);
    const error = loadError(path, plan.reason, plan.problems);
    if (error !== undefined) throw error;
    for (const [name, rows] of plan.rows) this.located.set(name, { source, rows, merges: [] });
    for (const [name, merge] of plan.merges) {
      const found = this.locate(name);
      this.located.set(name, { ...found, merges: [...found.merges, { ...merge, source, scale }] });
    }
    if (plan.layout.id !== 'own') this.layouts.add(plan.layout.id);
  }

  has(name: string): boolean {
    return this.located.has(name);
  }

  /** Whether the folder that was given itself, not its base, holds the parameter. */
  isOwn(name: string): boolean {
    return this.located.get(name)?.source === this.sources.at(-1);
  }

  /** @throws CheckpointError E_WEIGHTS_MISSING */
  locate(name: string): Located {
    const found = this.located.get(name);
    if (found !== undefined) return found;
    throw new CheckpointError(
      'E_WEIGHTS_MISSING',
      `${name}: in none of ${this.sources.map(({ path }) => path).join(', ')}.`,
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.sources.map((source) => source.close()));
  }
}
