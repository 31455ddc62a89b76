import * as tf from '@tensorflow/tfjs-core';

/** Gradient by input name. A thunk runs only when its input is on the path, and must return a fresh tensor. */
export type InputGradients = Record<string, () => tf.Tensor>;

export interface SavedTensors {
  /** Names of the inputs kept for the backward pass; each must always be given. */
  readonly inputs?: readonly string[];
  /** Keep the kernel's first output too; it follows the inputs. */
  readonly output?: boolean;
}

/**
 * Registers the gradient of a kernel with one output.
 *
 * @param backward gets dy, the kernel's attributes and the saved tensors in the order of `save`
 */
export function defineGradient(
  kernelName: string,
  save: SavedTensors,
  backward: (dy: tf.Tensor, attrs: tf.NamedAttrMap, ...saved: tf.Tensor[]) => InputGradients,
): void {
  tf.registerGradient({
    kernelName,
    inputsToSave: [...(save.inputs ?? [])],
    outputsToSave: save.output === true ? [true] : [],
    gradFunc: (dy, saved, attrs) => {
      if (Array.isArray(dy)) throw new TypeError(`gradient of ${kernelName}: got ${dy.length} dys, expected one`);
      return backward(dy, attrs, ...saved);
    },
  });
}
