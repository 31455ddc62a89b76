/**
 * Gradient checkpointing: the decoder's blocks run without a tape, keeping each block's input; then each block in
 * reverse runs again on a tape of its own.
 *
 * Outside TF.js's tape, since a gradient inside a gradient fails there, and its tape frees nothing until its backward
 * ends. Memory grows with one block instead of with depth; the price is a second forward pass. The gradients are those
 * of the whole graph bit for bit: the same kernels run on the same numbers, dropout included.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { MimicChatModel } from '../model/mimic-chat.js';
import type { Parameter } from '../model/parameters.js';
import { valueAndGradients } from './backward.js';
import type { Batch } from './batch.js';
import { addGradients, byName, type Gradients } from './gradients.js';
import { decodeOptions, headLoss, inputEmbeddings, type LanguageLossOptions } from './language-loss.js';

export function checkpointedLossAndGradients(
  model: MimicChatModel,
  batch: Batch,
  options: LanguageLossOptions,
): { loss: number; gradients: Gradients } {
  const { decoder } = model;
  const parts = splitByBlock(model.parameters.trainable(), decoder.numBlocks);
  const decoding = decodeOptions(batch, options);
  const block = (n: number) => (x: tf.Tensor) => decoder.applyBlock(n, x, decoding);

  const inputs: tf.Tensor[] = [tf.tidy(() => inputEmbeddings(model, batch))];
  for (let n = 0; n < decoder.numBlocks; n++) inputs.push(tf.tidy(() => block(n)(last(inputs))));

  const head = backward(parts.around, inputs.pop(), undefined, (x) =>
    headLoss(model, batch, decoder.applyNorm(x), options),
  );
  const loss = head.value.dataSync()[0] ?? Number.NaN;
  head.value.dispose();
  let { dx, gradients } = head;
  for (let n = decoder.numBlocks - 1; n >= 0; n--) {
    const step = backward(parts.blocks[n] ?? [], inputs.pop(), dx, block(n));
    tf.dispose([step.value, dx]);
    dx = step.dx;
    gradients = addGradients(gradients, step.gradients);
  }
  const embedding = backward(parts.around, undefined, dx, () => inputEmbeddings(model, batch));
  tf.dispose([embedding.value, embedding.dx, dx]);
  return { loss, gradients: addGradients(gradients, embedding.gradients) };
}

interface Backward {
  readonly value: tf.Tensor;
  /** Gradient of the segment's input; a scalar 0 where there is none. */
  readonly dx: tf.Tensor;
  readonly gradients: Gradients;
}

/** Runs one segment on a tape of its own. Disposes its input `x`. */
function backward(
  parameters: readonly Parameter[],
  x: tf.Tensor | undefined,
  dy: tf.Tensor | undefined,
  segment: (x: tf.Tensor) => tf.Tensor,
): Backward {
  const values = parameters.map((parameter) => parameter.value);
  const input = x ?? tf.scalar(0);
  const { value, gradients } = valueAndGradients(() => segment(input), [input, ...values], dy);
  const [dx, ...rest] = gradients;
  input.dispose();
  return { value, dx: dx ?? tf.scalar(0), gradients: byName(parameters, rest) };
}

/** Parameters of each decoder block, and those around the stack (before it, after it, or both when tied). */
function splitByBlock(parameters: readonly Parameter[], numBlocks: number) {
  const blocks: Parameter[][] = Array.from({ length: numBlocks }, () => []);
  const around: Parameter[] = [];
  for (const parameter of parameters) {
    const match = /^language_model\.model\.layers\.(\d+)\./.exec(parameter.name);
    (match === null ? around : (blocks[Number(match[1])] ?? around)).push(parameter);
  }
  return { blocks, around };
}

function last(tensors: readonly tf.Tensor[]): tf.Tensor {
  const tensor = tensors.at(-1);
  if (tensor === undefined) throw new RangeError('last: the list is empty');
  return tensor;
}
