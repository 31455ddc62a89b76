/** Gradients of kernels that join many tensors or part one into many. */
import * as tf from '@tensorflow/tfjs-core';
import type { InputGradients } from '../define-gradient.js';

const asList = (dy: tf.Tensor | tf.Tensor[]): tf.Tensor[] => (Array.isArray(dy) ? dy : [dy]);

function single(kernelName: string, dy: tf.Tensor | tf.Tensor[]): tf.Tensor {
  if (Array.isArray(dy)) throw new TypeError(`gradient of ${kernelName}: got ${dy.length} dys, expected one`);
  return dy;
}

/** Inputs of these kernels are a list, so their names are its indices. */
function eachInput(inputs: tf.Tensor[], gradient: (input: tf.Tensor, index: number) => tf.Tensor): InputGradients {
  return Object.fromEntries(inputs.map((input, index) => [index, () => gradient(input, index)]));
}

tf.registerGradient({
  kernelName: 'AddN',
  saveAllInputs: true,
  gradFunc: (dy, saved) => eachInput(saved, () => tf.clone(single('AddN', dy))),
});

tf.registerGradient({
  kernelName: 'Concat',
  saveAllInputs: true,
  gradFunc: (dy, saved, attrs) => {
    const [axis = 0] = tf.util.parseAxisParam(attrs['axis'] as number, saved[0]?.shape ?? []);
    const joined = single('Concat', dy);
    const sizes = saved.map((input) => input.shape[axis] ?? 0);
    return eachInput(saved, (input, index) => {
      const begin = input.shape.map(() => 0);
      begin[axis] = sizes.slice(0, index).reduce((sum, size) => sum + size, 0);
      return tf.slice(joined, begin, input.shape);
    });
  },
});

tf.registerGradient({
  kernelName: 'Pack',
  saveAllInputs: true,
  gradFunc: (dy, saved, attrs) => {
    const stacked = single('Pack', dy);
    const [axis = 0] = tf.util.parseAxisParam(attrs['axis'] as number, stacked.shape);
    return eachInput(saved, (input, index) => {
      const begin = stacked.shape.map((_, i) => (i === axis ? index : 0));
      const size = stacked.shape.map((length, i) => (i === axis ? 1 : length));
      return tf.reshape(tf.slice(stacked, begin, size), input.shape);
    });
  },
});

tf.registerGradient({
  kernelName: 'SplitV',
  gradFunc: (dy, _saved, attrs) => ({ x: () => tf.concat(asList(dy), attrs['axis'] as number) }),
});

tf.registerGradient({
  kernelName: 'Unpack',
  gradFunc: (dy, _saved, attrs) => ({ value: () => tf.stack(asList(dy), attrs['axis'] as number) }),
});
