/**
 * The folder of a run, `<out>/<name>`: checkpoints by step, `best`, and what a resume needs to agree with.
 *
 * A checkpoint is also a model folder: its config.yaml and tokenizer.json are what `mimic choose` loads.
 */
import { join, relative, resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { stringify } from 'yaml';
import { z } from 'zod';
import { CheckpointError, ConfigError } from '../base/errors.js';
import { flatten } from '../base/flatten.js';
import { log } from '../base/logger.js';
import type { InputFingerprint } from '../data/input-file.js';
import { checkInput } from '../data/input-fingerprint.js';
import { loadWeights } from '../model/load.js';
import type { MimicChatModel } from '../model/mimic-chat.js';
import type { SafetensorsEntry } from '../model/weights/safetensors-writer.js';
import { EMPTY_LEDGER, LedgerState } from './bad-videos/ledger.js';
import { findLatestCheckpoint, loadLatestCheckpoint, saveCheckpoint } from './checkpoint.js';
import type { RunConfig } from './config.js';
import { checkDrift } from './config-drift.js';
import type { Optimizer } from './optimizer.js';

const RunStateSchema = z.strictObject({
  /** Optimizer steps done. */
  step: z.int().nonnegative(),
  best: z.strictObject({ step: z.int(), accuracy: z.number(), loss: z.number() }).nullable(),
  /** Validations since the best one. */
  sinceBest: z.int().nonnegative(),
  /** Videos left out so far. */
  badVideos: z
    .strictObject({ train: LedgerState, validation: LedgerState })
    .default({ train: EMPTY_LEDGER, validation: EMPTY_LEDGER }),
});
export type RunState = z.output<typeof RunStateSchema>;

const SavedStateSchema = z.strictObject({ run: RunStateSchema, trajectory: z.record(z.string(), z.unknown()) });

export class RunFolder {
  readonly dir: string;
  private readonly configYaml: string;

  constructor(private readonly config: RunConfig) {
    this.dir = join(config.out, config.name);
    const { base, temporalBase, tokenizer: _, ...rest } = config;
    // Relative to the checkpoint's own folder, so that the tree can move.
    const from = (path: string | undefined) =>
      path === undefined ? undefined : relative(resolve(this.dir, 'step'), resolve(path));
    // Keys without a value are left out.
    this.configYaml = stringify({ base: from(base), temporalBase: from(temporalBase), ...rest });
  }

  get bestDir(): string {
    return join(this.dir, 'best');
  }

  /** Every rank of a run calls it: each holds a share of the optimizer's state. The main one writes. */
  async save(
    state: RunState,
    model: MimicChatModel,
    optimizer: Optimizer,
    carried: { readonly extraFiles: readonly string[]; readonly input: InputFingerprint },
    best: boolean,
    isMain = true,
  ): Promise<void> {
    const moments = optimizer.state();
    if (!isMain) return;
    const weights = model.parameters.trainable().map(({ name, shape, value }): SafetensorsEntry => {
      return { name, dtype: 'F32', shape, data: Float32Array.from(value.dataSync()) };
    });
    const saved = await saveCheckpoint(this.dir, {
      ...{ step: state.step, weights, optimizer: moments, best },
      ...{ extraFiles: carried.extraFiles, input: carried.input },
      state: { run: state, trajectory: flatten(this.config) },
      configYaml: this.configYaml,
      backend: tf.getBackend(),
      keep: this.config.train.keepCheckpoints,
    });
    for (const warning of saved.warnings) log.warn(warning);
  }

  /** A fresh run beside older checkpoints could later resume from the wrong one. @throws ConfigError E_RUN_EXISTS */
  async refuseWhenUsed(): Promise<void> {
    const { latest } = await findLatestCheckpoint(this.dir);
    if (latest === undefined) return;
    throw new ConfigError(
      'E_RUN_EXISTS',
      `${this.dir}: holds the checkpoints of an earlier run, the newest ${latest.path}.`,
      {
        hint: 'Add --resume to go on with it, give the new run another --name, or delete the folder.',
      },
    );
  }

  /**
   * Continues from the newest complete checkpoint.
   *
   * @throws CheckpointError when there is none, E_INPUT_DRIFT when inputs would be made otherwise; ConfigError when the
   *   configuration drifted
   */
  async restore(model: MimicChatModel, optimizer: Optimizer, input: InputFingerprint): Promise<RunState> {
    const { latest, skipped } = await loadLatestCheckpoint(this.dir);
    for (const { path, reason } of skipped) log.warn(`resume passes over ${path}: ${reason}`);
    if (latest === undefined) {
      throw new CheckpointError('E_NOTHING_TO_RESUME', `${resolve(this.dir)}: no complete checkpoint to resume from.`, {
        hint: 'Start without --resume, or check `out` and `name`.',
      });
    }
    const { checkpoint } = latest;
    const saved = SavedStateSchema.safeParse(checkpoint.state);
    if (!saved.success) {
      throw new CheckpointError(
        'E_RUN_STATE',
        `${latest.path}: the saved state is not a run's: ${z.prettifyError(saved.error)}`,
      );
    }
    checkDrift(saved.data.trajectory, this.config);
    await checkInput(latest.path, input);
    await loadWeights(model, latest.path, 'resume');
    optimizer.restore(checkpoint.optimizer);
    return saved.data.run;
  }
}
