/**
 * The backward walk over TF.js's tape that frees as it goes.
 *
 * TF.js's own keeps every saved activation and every intermediate gradient until the walk has ended, which nearly doubles
 * a step's peak. This one takes the recorded tape over: a node's saved tensors and the gradients of its outputs go as
 * soon as the node is done. The same gradient functions run in the same order, so the results are the same bits.
 */
import * as tf from '@tensorflow/tfjs-core';

type Tape = NonNullable<ReturnType<typeof tf.engine>['state']['activeTape']>;
type TapeNode = Tape[number];

export interface ValueAndGradients {
  readonly value: tf.Tensor;
  /** One for each of `xs`; undefined where the value does not depend on it. */
  readonly gradients: (tf.Tensor | undefined)[];
}

/**
 * Runs `f` on a tape, then back.
 *
 * @param f builds the value from `xs`; its other tensors are disposed when it returns
 * @param dy gradient of the value, stays the caller's; default ones
 * @returns tensors owned by the caller
 */
export function valueAndGradients(f: () => tf.Tensor, xs: readonly tf.Tensor[], dy?: tf.Tensor): ValueAndGradients {
  const { value, tape } = recorded(f, xs);
  try {
    return { value, gradients: tf.tidy(() => walkBack(tape, xs, value, dy ?? tf.onesLike(value))) };
  } catch (error) {
    value.dispose();
    throw error;
  } finally {
    disposeSaved(tape);
  }
}

/** The value and what was recorded on its way. The engine is left with an empty tape, and so has nothing to walk. */
function recorded(f: () => tf.Tensor, xs: readonly tf.Tensor[]): { value: tf.Tensor; tape: Tape } {
  const { state } = tf.engine();
  let tape: Tape = [];
  const takeTape = () => {
    tape = state.activeTape ?? [];
    state.activeTape = [];
  };
  const run = () => {
    try {
      return f();
    } finally {
      takeTape();
    }
  };
  try {
    return { value: tf.engine().gradients(run, [...xs], undefined, true).value, tape };
  } catch (error) {
    disposeSaved(tape);
    throw error;
  }
}

function disposeSaved(nodes: Tape): void {
  for (const { saved } of nodes) tf.dispose(saved ?? []);
}

function walkBack(tape: Tape, xs: readonly tf.Tensor[], value: tf.Tensor, dy: tf.Tensor): (tf.Tensor | undefined)[] {
  const dependent = dependentIds(tape, xs);
  const gradientOf = new Map<number, tf.Tensor>();
  if (dependent.has(value.id)) gradientOf.set(value.id, dy.clone());
  for (const node of [...tape].reverse()) {
    const isReached = node.outputs.some(({ id }) => gradientOf.has(id));
    if (isReached) {
      for (const [id, gradient] of inputGradients(node, dependent, gradientOf)) accumulate(gradientOf, id, gradient);
      // An output's gradient is complete when its node's turn comes, and nothing else reads it.
      for (const { id } of node.outputs) {
        gradientOf.get(id)?.dispose();
        gradientOf.delete(id);
      }
    }
    disposeSaved([node]);
  }
  return xs.map(({ id }) => gradientOf.get(id));
}

/** Ids of the tensors that depend on one of `xs`, these included. */
function dependentIds(tape: Tape, xs: readonly tf.Tensor[]): Set<number> {
  const dependent = new Set(xs.map(({ id }) => id));
  for (const { inputs, outputs } of tape) {
    if (Object.values(inputs).some(({ id }) => dependent.has(id))) for (const { id } of outputs) dependent.add(id);
  }
  return dependent;
}

/** Gradients of a node's inputs that matter, by tensor id; whatever else was made on the way is disposed. */
function inputGradients(
  { kernelName, inputs, outputs, gradient }: TapeNode,
  dependent: ReadonlySet<number>,
  gradientOf: ReadonlyMap<number, tf.Tensor>,
): [number, tf.Tensor][] {
  const wanted = Object.entries(inputs).filter(([, { id }]) => dependent.has(id));
  if (gradient === undefined) throw new TypeError(`${kernelName} has no gradient, and the loss depends on it`);
  return tf.tidy(() => {
    const dys = outputs.map(({ id, shape }) => gradientOf.get(id) ?? tf.zeros(shape));
    const thunks = gradient(dys);
    return wanted.map(([name, { id, shape }]): [number, tf.Tensor] => {
      const thunk = thunks[name];
      if (thunk === undefined) throw new TypeError(`the gradient of ${kernelName} says nothing of its input ${name}`);
      const dx = tf.tidy(thunk);
      if (dx.shape.join() !== shape.join()) {
        throw new TypeError(`the gradient of ${kernelName} gives [${dx.shape}] for its input ${name} of [${shape}]`);
      }
      return [id, dx];
    });
  });
}

function accumulate(gradientOf: Map<number, tf.Tensor>, id: number, gradient: tf.Tensor): void {
  const held = gradientOf.get(id);
  if (held === undefined) {
    gradientOf.set(id, gradient);
    return;
  }
  gradientOf.set(id, tf.add(held, gradient));
  held.dispose();
  gradient.dispose();
}
