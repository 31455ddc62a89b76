/** All that the reports show. */
import type { AskedQuestion, RunKey, RunResult } from '../result.js';
import type { Variant } from '../variants.js';

export interface BaseReport {
  readonly name: string;
  readonly sha256: string;
  /** Foundation stages, where the base was made by the ablation. */
  readonly stages: readonly {
    readonly name: string;
    readonly steps: number;
    readonly accuracy: number;
    readonly gate: number;
    readonly passed: boolean;
  }[];
  readonly questions: readonly AskedQuestion[];
}

export interface FailedRun extends RunKey {
  readonly code: string;
  readonly message: string;
  /** As thrown. */
  readonly error: unknown;
}

export interface Ablation {
  readonly commit: string | null;
  readonly machine: string;
  readonly backend: { readonly name: string; readonly reason: string };
  readonly seconds: number;
  readonly quick: boolean;
  readonly interrupted: boolean;
  readonly configFile: string;
  readonly overrides: readonly string[];
  /** Optimizer steps of a run at most; null where epochs decide. */
  readonly steps: number | null;
  readonly seeds: readonly number[];
  readonly variants: readonly Variant[];
  readonly questionSeed: number;
  readonly bases: readonly BaseReport[];
  readonly runs: readonly RunResult[];
  readonly failures: readonly FailedRun[];
}
