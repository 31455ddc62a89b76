import * as tf from '@tensorflow/tfjs-core';

/**
 * Shares one run of a multi-output gradient kernel among the thunks of its inputs, and runs it only if one is called.
 *
 * A thunk runs in a scope of its own that disposes all but its result, so the outputs are kept. They are appended to
 * the tape node's `saved` list, which the engine disposes after the backward pass whether or not all were asked for.
 *
 * @param saved the list handed to the gradient function, unchanged
 * @returns the i-th output, a fresh tensor at each call
 */
export function lazyOutputs(saved: tf.Tensor[], compute: () => tf.Tensor[]): (index: number) => tf.Tensor {
  let outputs: tf.Tensor[] | undefined;
  return (index) => {
    if (outputs === undefined) {
      outputs = compute();
      for (const output of outputs) saved.push(tf.keep(output));
    }
    const output = outputs[index];
    if (output === undefined) throw new RangeError(`lazyOutputs: no output ${index} among ${outputs.length}`);
    return output.clone();
  };
}
