/** TimeSformer's weights of any publisher under Hugging Face's names, from their shapes alone: a .pyth has no config.json. */
import { CheckpointError } from '../base/errors.js';
import { loadError } from '../model/checkpoints/load-problems.js';
import { planLoad } from '../model/checkpoints/plan-load.js';
import { ModelSchema } from '../model/config.js';
import { MimicChatModel } from '../model/mimic-chat.js';
import type { SafetensorsEntry } from '../model/weights/safetensors-writer.js';
import type { WeightSource } from '../model/weights/source.js';
import { type DtypeName, parameterEntry } from './parameter-entry.js';

/** @throws CheckpointError E_WEIGHTS_MISMATCH with every tensor that does not fit the others */
export function timesformerEntries(source: WeightSource, dtype: DtypeName | undefined): SafetensorsEntry[] {
  const size = sizesOf(source);
  const config = ModelSchema.parse({
    // The schema wants both branches to see the same square; only one is used here.
    spatial: { imageSize: size.imageSize, patchSize: size.imageSize / 2 },
    temporal: size,
  });
  const model = new MimicChatModel(config);
  const plan = planLoad({ parameters: model.parameters, config }, source);
  const error = loadError(source.path, plan.reason, plan.problems);
  if (error !== undefined) throw error;
  const parameters = model.parameters.list().filter(({ part }) => part === 'temporal encoder');
  return parameters.map((parameter) => {
    const rows = plan.rows.get(parameter.name) ?? [];
    return parameterEntry(parameter, { source, rows }, { dtype });
  });
}

function sizesOf({ path, tensors }: WeightSource) {
  const shape = (pattern: RegExp): readonly number[] => {
    const found = [...tensors.values()].find(({ name }) => pattern.test(name));
    if (found !== undefined) return found.shape;
    throw new CheckpointError('E_WEIGHTS_MISMATCH', `${path}: no tensor named like ${pattern.source}.`);
  };
  const [, positions = 2, hiddenSize = 1] = shape(/(?:position_embeddings|pos_embed)$/);
  const [, numFrames = 1] = shape(/(?:time_embeddings|time_embed)$/);
  const [, , patchSize = 1] = shape(/(?:patch_embeddings\.projection|patch_embed\.proj)\.weight$/);
  const [intermediateSize = 1] = shape(/(?:intermediate\.dense|mlp\.fc1)\.weight$/);
  const layers = [...tensors.keys()].map((name) => Number(/(?:layer|blocks)\.(\d+)\./.exec(name)?.[1] ?? -1));
  const imageSize = Math.round(Math.sqrt(positions - 1)) * patchSize;
  // How the width is divided into heads shows in no shape, and matters to none.
  return {
    hiddenSize,
    intermediateSize,
    numLayers: Math.max(...layers) + 1,
    numHeads: 1,
    imageSize,
    patchSize,
    numFrames,
  };
}
