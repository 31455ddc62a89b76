/**
 * From both branches' features to the visual sequence phi(V)': projectors, modality-aware positions, gated fusion.
 *
 * The projector ablations live here: one projector serves both branches, and where the widths differ a bias-free
 * adapter takes the other branch's features to its width.
 */
import * as tf from '@tensorflow/tfjs-core';
import { linear } from '../ops/index.js';
import { type ModelConfig, tokensPerFrame } from './config.js';
import { GatedFusion } from './fusion.js';
import { normal, type Parameter, type Scope, zeros } from './parameters.js';
import { Projector } from './projector.js';
import type { VisualBlock } from './visual-block.js';

type Branch = 'spatial' | 'temporal';

export class VisualPath {
  private readonly projectors: Partial<Record<Branch, Projector>> = {};
  private readonly adapter: { branch: Branch; weight: Parameter } | undefined;
  private readonly fusion: GatedFusion | undefined;
  private readonly modality: Parameter;
  private readonly spatialTimes: Parameter;
  private readonly temporalTimes: Parameter | undefined;

  constructor(
    root: Scope,
    private readonly config: ModelConfig,
    widths: Record<Branch, number>,
  ) {
    const { ablate, projector, language, spatial, temporal } = config;
    const c = language.hiddenSize;
    const hasTemporal = ablate !== 'no-temporal-encoder';
    const hidden = { spatial: projector.spatialHidden ?? c, temporal: projector.temporalHidden ?? c };
    const declare = (branch: Branch) => {
      const name = branch === 'spatial' ? 'mlp1' : 'temporal_mlp1';
      this.projectors[branch] = new Projector(
        root.child(name, `${branch} projector`),
        widths[branch],
        hidden[branch],
        c,
      );
    };
    if (ablate !== 'no-spatial-projector') declare('spatial');
    if (hasTemporal && ablate !== 'no-temporal-projector') declare('temporal');

    const shared: Branch | null =
      ablate === 'no-temporal-projector' ? 'temporal' : ablate === 'no-spatial-projector' ? 'spatial' : null;
    if (shared !== null && widths.spatial !== widths.temporal) {
      const other: Branch = shared === 'spatial' ? 'temporal' : 'spatial';
      const scope = root.child(`${shared}_width_adapter`, `${other} projector`);
      const shape = [widths[other], widths[shared]];
      this.adapter = { branch: shared, weight: scope.parameter('weight', shape, normal(widths[shared] ** -0.5)) };
    }

    const positions = root.child('visual_positions', 'positions');
    this.modality = positions.parameter('modality', [2, c], zeros);
    this.spatialTimes = positions.parameter('spatial_time', [spatial.numFrames, c], zeros);
    this.temporalTimes = hasTemporal ? positions.parameter('temporal_time', [temporal.pool[0], c], zeros) : undefined;
    this.fusion =
      config.fusion.type === 'gated'
        ? new GatedFusion(root.child('fusion', 'gated fusion'), c, config.fusion, hasTemporal)
        : undefined;
  }

  /**
   * Without temporal features and at the initial positions and gates (zeros), this is the spatial projector alone, bit for
   * bit: InternVL's `mlp1`.
   *
   * @param spatial_BND [B, frames * tokens a frame, spatial width]
   * @param temporal_BMD [B, time * rows * columns, temporal width], null when ablated
   * @param kind tiles of pictures may be of any number and have no time embedding
   * @returns [B, N + M, C]
   */
  apply(spatial_BND: tf.Tensor3D, temporal_BMD: tf.Tensor3D | null, kind: VisualBlock['kind'] = 'video'): tf.Tensor3D {
    const { spatial, temporal } = this.config;
    const perFrame = tokensPerFrame(spatial);
    const times = kind === 'video' ? this.spatialTimes : null;
    const spatialTokens = this.place(this.project('spatial', spatial_BND), 0, times, perFrame);
    const perTime = temporal.pool[1] * temporal.pool[2];
    const temporalTokens =
      temporal_BMD === null || this.temporalTimes === undefined
        ? null
        : this.place(this.project('temporal', temporal_BMD), 1, this.temporalTimes, perTime);
    if (this.fusion !== undefined) return this.fusion.apply(spatialTokens, temporalTokens) as tf.Tensor3D;
    return (temporalTokens === null ? spatialTokens : tf.concat([spatialTokens, temporalTokens], 1)) as tf.Tensor3D;
  }

  private project(branch: Branch, features: tf.Tensor): tf.Tensor {
    const adapted = this.adapter?.branch === branch ? linear(features, this.adapter.weight.value) : features;
    const projector = this.projectors[branch] ?? this.projectors[branch === 'spatial' ? 'temporal' : 'spatial'];
    if (projector === undefined) throw new Error('VisualPath: no projector was declared');
    return projector.apply(adapted);
  }

  /** Adds the modality vector and, where there is time, each step's embedding to that step's `perStep` tokens. */
  private place(tokens_BNC: tf.Tensor, modality: 0 | 1, times: Parameter | null, perStep: number): tf.Tensor {
    const [batch = 1, count = 1, c = 1] = tokens_BNC.shape;
    const vector_1C = tf.slice(this.modality.value, [modality, 0], [1, c]);
    if (times === null) return tf.add(tokens_BNC, vector_1C);
    const steps = tf.add(times.value, vector_1C);
    const split = tf.reshape(tokens_BNC, [batch, count / perStep, perStep, c]);
    return tf.reshape(tf.add(split, tf.reshape(steps, [1, count / perStep, 1, c])), [batch, count, c]);
  }
}
