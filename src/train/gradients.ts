import * as tf from '@tensorflow/tfjs-core';
import type { Parameter } from '../model/parameters.js';

/** Gradients by parameter name; the holder disposes them. */
export type Gradients = Map<string, tf.Tensor>;

/**
 * Loss and its gradient for every given parameter.
 *
 * A parameter the loss does not reach (an adapter of an unused branch) gets no entry; frozen weights never enter the tape.
 *
 * @param loss builds a scalar; runs once, on the tape
 */
export function lossAndGradients(
  parameters: readonly Parameter[],
  loss: () => tf.Scalar,
): { loss: number; gradients: Gradients } {
  const inputs = parameters.map((parameter) => parameter.value);
  const { value, grads } = tf.engine().gradients(loss, inputs, undefined, true);
  const gradients: Gradients = new Map();
  for (const [i, parameter] of parameters.entries()) {
    const gradient = grads[i];
    if (gradient !== undefined && gradient !== null) gradients.set(parameter.name, gradient);
  }
  const lossValue = value.dataSync()[0] ?? Number.NaN;
  value.dispose();
  return { loss: lossValue, gradients };
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
