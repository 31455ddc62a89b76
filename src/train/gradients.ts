import * as tf from '@tensorflow/tfjs-core';
import { ConfigError } from '../base/errors.js';
import type { Parameter } from '../model/parameters.js';
import { valueAndGradients } from './backward.js';

/** Gradients by parameter name; the holder disposes them. */
export type Gradients = Map<string, tf.Tensor>;

/**
 * Loss and its gradient for every given parameter.
 *
 * A parameter the loss does not reach (an adapter of an unused branch) gets no entry; frozen weights never enter the tape.
 *
 * @param loss builds a scalar; runs once, on the tape
 * @throws ConfigError when a parameter is not marked trainable
 */
export function lossAndGradients(
  parameters: readonly Parameter[],
  loss: () => tf.Scalar,
): { loss: number; gradients: Gradients } {
  const untrained = parameters.find(({ trainable }) => !trainable);
  if (untrained !== undefined) {
    throw new ConfigError('E_GRADIENT_OF_FROZEN', `lossAndGradients: parameter ${untrained.name} is not trainable.`, {
      hint: 'Layers save less for a frozen weight, so it has no gradient; set parameter.trainable first.',
    });
  }
  const inputs = parameters.map((parameter) => parameter.value);
  const { value, gradients } = valueAndGradients(loss, inputs);
  const lossValue = value.dataSync()[0] ?? Number.NaN;
  value.dispose();
  return { loss: lossValue, gradients: byName(parameters, gradients) };
}

/** Leaves out parameters without a gradient. */
export function byName(parameters: readonly Parameter[], gradients: readonly (tf.Tensor | undefined)[]): Gradients {
  const named: Gradients = new Map();
  for (const [i, { name }] of parameters.entries()) {
    const gradient = gradients[i];
    if (gradient !== undefined) named.set(name, gradient);
  }
  return named;
}

/** Adds `more` into `sum` (accumulation over micro-batches); both inputs are consumed. */
export function addGradients(sum: Gradients, more: Gradients): Gradients {
  for (const [name, gradient] of more) {
    const held = sum.get(name);
    if (held === undefined) {
      sum.set(name, gradient);
      continue;
    }
    sum.set(name, tf.add(held, gradient));
    tf.dispose([held, gradient]);
  }
  return sum;
}

export function disposeGradients(gradients: Gradients): void {
  tf.dispose([...gradients.values()]);
  gradients.clear();
}
