/**
 * Every fused kernel on TF.js's cpu backend: forward by formula, backward by finite differences of the formula.
 *
 * They stand in for a native backend where only the ops' side of the contract is at stake: kernel, input and
 * attribute names, the order of outputs, and what the tape saves.
 */
import type { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { finiteDifference } from './finite-difference.js';
import { at, type HostTensor, hostTensor } from './host-tensor.js';
import * as reference from './op-references.js';

/** What a kernel sees: the inputs and attributes that it was given, each checked to be there. */
interface KernelCall {
  /** @throws unless the input was given. */
  input(name: string): HostTensor;
  has(name: string): boolean;
  number(name: string, absent?: number): number;
  flag(name: string): boolean;
  numbers(name: string): number[];
}

type ReferenceKernel = (call: KernelCall) => HostTensor[];

const STEP = 1e-4;

/** Gradients of `formula` in those of `inputs`, given dy. */
const slopes = (call: KernelCall, formula: (...inputs: HostTensor[]) => HostTensor, inputs: string[]): HostTensor[] =>
  finiteDifference(
    formula,
    inputs.map((name) => call.input(name)),
    call.input('dy'),
    STEP,
  );

const layerNorm = (call: KernelCall, gamma: HostTensor) => (x: HostTensor) =>
  reference.layerNormReference(x, gamma, hostTensor(gamma.shape), call.number('eps'));

const ones = (size: number): HostTensor => hostTensor([size], new Float64Array(size).fill(1));

/** The first `count` of the positions of x [B, S, ..]. */
function firstPositions(x: HostTensor, count: number): HostTensor {
  const [batch, positions] = [at(x.shape, 0), at(x.shape, 1)];
  const width = x.values.length / (batch * positions);
  const values = Array.from({ length: batch }, (_, b) =>
    Array.from(x.values.subarray(b * positions * width, (b * positions + count) * width)),
  );
  return hostTensor([batch, count, ...x.shape.slice(2)], values.flat());
}

const attention = (call: KernelCall) => (q: HostTensor, k: HostTensor, v: HostTensor) => {
  const count = call.has('keyCount') ? at(call.input('keyCount').values, 0) : call.number('keys', at(k.shape, 1));
  const mask = call.has('keyMask') ? firstPositions(call.input('keyMask'), count).values : undefined;
  const options = { causal: call.flag('causal'), scale: call.number('scale') };
  return reference.attentionReference(q, firstPositions(k, count), firstPositions(v, count), options, mask);
};

const crossEntropy = (call: KernelCall) => (hidden: HostTensor, weight: HostTensor) =>
  reference.linearCrossEntropyReference(hidden, weight, call.input('labels').values, call.number('labelSmoothing'));

const sumSquares = (x: HostTensor): HostTensor =>
  hostTensor([], [x.values.reduce((sum, value) => sum + value ** 2, 0)]);

const linearGelu = (x: HostTensor, weight: HostTensor, bias: HostTensor): HostTensor =>
  reference.geluReference(reference.linearReference(x, weight, bias));

const scaled = (x: HostTensor, factor: number): HostTensor =>
  hostTensor(
    x.shape,
    x.values.map((value) => value * factor),
  );

const sum = (a: HostTensor, b: HostTensor): HostTensor =>
  hostTensor(
    a.shape,
    a.values.map((value, i) => value + at(b.values, i)),
  );

const dot = (a: HostTensor, b: HostTensor): number =>
  a.values.reduce((total, value, i) => total + value * at(b.values, i), 0);

function transposed(x: HostTensor): HostTensor {
  const [rows, cols] = [at(x.shape, 0), at(x.shape, 1)];
  const y = hostTensor([cols, rows]);
  y.values.forEach((_, i) => {
    y.values[i] = at(x.values, (i % rows) * cols + Math.floor(i / rows));
  });
  return y;
}

/** Dropout by the call's `rate` and `seed`. */
const dropped = (call: KernelCall, x: HostTensor): HostTensor =>
  reference.dropoutReference(x, call.number('rate'), call.number('seed'));

const ropeSizes = (call: KernelCall) => ({
  groups: call.number('groups'),
  perGroup: call.number('perGroup'),
  theta: call.number('theta'),
});

const FUSION_INPUTS = ['x', 'otherMean', 'wSelf', 'wOther', 'bias'];

const gatedFusion =
  (call: KernelCall) =>
  (...inputs: HostTensor[]): HostTensor => {
    const [x, other, wSelf, wOther, bias] = inputs;
    if (!x || !other || !wSelf || !wOther || !bias) throw new RangeError('gated fusion: an input is missing');
    return reference.gatedFusionReference(x, other, wSelf, wOther, bias, call.number('gain'));
  };

const adaptivePool =
  ([time = 0, rows = 0, cols = 0]: number[]) =>
  (x: HostTensor): HostTensor =>
    reference.adaptiveAvgPool3dReference(x, [time, rows, cols]);

const KERNELS: Record<string, ReferenceKernel> = {
  MimicLinear: (call) => {
    if (call.input('x').shape.length !== 2) throw new RangeError('MimicLinear: x must be a matrix');
    const bias = call.has('bias') ? call.input('bias') : undefined;
    return [reference.linearReference(call.input('x'), call.input('weight'), bias)];
  },
  MimicLinearGradWeight: (call) => [
    reference.linearReference(transposed(call.input('dy')), transposed(call.input('x'))),
  ],
  MimicLinearGelu: (call) => [linearGelu(call.input('x'), call.input('weight'), call.input('bias'))],
  MimicLinearGeluGrad: (call) => {
    const z = reference.linearReference(call.input('x'), call.input('weight'), call.input('bias'));
    return finiteDifference(reference.geluReference, [z], call.input('dy'), STEP);
  },
  MimicLoraDown: (call) => [
    scaled(reference.linearReference(dropped(call, call.input('x')), call.input('a')), call.number('scale')),
  ],
  MimicLoraLinear: (call) => {
    const bias = call.has('bias') ? call.input('bias') : undefined;
    const base = reference.linearReference(call.input('x'), call.input('weight'), bias);
    return [sum(base, reference.linearReference(call.input('h'), call.input('b')))];
  },
  MimicLoraGradDown: (call) => [
    scaled(reference.linearReference(call.input('dy'), transposed(call.input('b'))), call.number('scale')),
  ],
  MimicLoraGradX: (call) => {
    const base = reference.linearReference(call.input('dy'), transposed(call.input('weight')));
    return [sum(base, dropped(call, reference.linearReference(call.input('dh'), transposed(call.input('a')))))];
  },
  MimicLoraGradA: (call) => [
    reference.linearReference(transposed(call.input('dh')), transposed(dropped(call, call.input('x')))),
  ],
  MimicLayerNorm: (call) => [
    reference.layerNormReference(call.input('x'), call.input('gamma'), call.input('beta'), call.number('eps')),
  ],
  MimicLayerNormGradX: (call) => slopes(call, layerNorm(call, call.input('gamma')), ['x']),
  MimicLayerNormGradParams: (call) => {
    const x = call.input('x');
    const dy = call.input('dy');
    const width = at(x.shape, x.shape.length - 1);
    const normalised = layerNorm(call, ones(width))(x);
    const [dGamma, dBeta] = [hostTensor([width]), hostTensor([width])];
    dy.values.forEach((value, i) => {
      dGamma.values[i % width] = at(dGamma.values, i % width) + value * at(normalised.values, i);
      dBeta.values[i % width] = at(dBeta.values, i % width) + value;
    });
    return [dGamma, dBeta];
  },
  MimicRmsNorm: (call) => [reference.rmsNormReference(call.input('x'), call.input('gamma'), call.number('eps'))],
  MimicRmsNormGradX: (call) =>
    slopes(call, (x) => reference.rmsNormReference(x, call.input('gamma'), call.number('eps')), ['x']),
  MimicRmsNormGradGamma: (call) => {
    const x = call.input('x');
    const gamma = ones(at(x.shape, x.shape.length - 1));
    const formula = (moved: HostTensor) => reference.rmsNormReference(x, moved, call.number('eps'));
    return finiteDifference(formula, [gamma], call.input('dy'), STEP);
  },
  MimicAddRmsNorm: (call) =>
    reference.addRmsNormReference(call.input('x'), call.input('r'), call.input('gamma'), call.number('eps')),
  MimicAddRmsNormGrad: (call) => {
    const norm = (s: HostTensor) => reference.rmsNormReference(s, call.input('gamma'), call.number('eps'));
    return slopes(call, norm, ['s']).map((slope) => sum(slope, call.input('ds')));
  },
  MimicGelu: (call) => [reference.geluReference(call.input('x'))],
  MimicGeluGrad: (call) => slopes(call, reference.geluReference, ['x']),
  MimicSwiGlu: (call) => [reference.swiGluReference(call.input('gate'), call.input('up'))],
  MimicSwiGluGrad: (call) => slopes(call, reference.swiGluReference, ['gate', 'up']),
  MimicRope: (call) => {
    const { values } = call.input('positions');
    return [reference.ropeReference(call.input('x'), values, call.number('theta'), call.flag('inverse'))];
  },
  MimicSplitRope: (call) =>
    reference.splitRopeReference(call.input('x'), call.input('positions').values, ropeSizes(call)),
  MimicSplitRopeGrad: (call) => {
    const parts = [call.input('dq'), call.input('dk'), call.input('dv')];
    const [batch, time, groups, width] = call.input('dk').shape as [number, number, number, number];
    // The map is linear: its gradient is the transposed map, found by asking for every unit input.
    const dx = hostTensor([batch, time, groups * (call.number('perGroup') + 2) * width]);
    dx.values.forEach((_, i) => {
      const unit = hostTensor(dx.shape);
      unit.values[i] = 1;
      const moved = reference.splitRopeReference(unit, call.input('positions').values, ropeSizes(call));
      dx.values[i] = moved.reduce((total, part, p) => total + dot(part, parts[p] ?? part), 0);
    });
    return [dx];
  },
  MimicAttention: (call) => [attention(call)(call.input('q'), call.input('k'), call.input('v'))],
  MimicAttentionGrad: (call) => {
    call.input('o');
    return slopes(call, attention(call), ['q', 'k', 'v']);
  },
  MimicGatedFusion: (call) => [gatedFusion(call)(...FUSION_INPUTS.map((name) => call.input(name)))],
  MimicGatedFusionGrad: (call) => slopes(call, gatedFusion(call), FUSION_INPUTS),
  MimicAdaptiveAvgPool3d: (call) => [adaptivePool(call.numbers('outSize'))(call.input('x'))],
  MimicAdaptiveAvgPool3dGrad: (call) => {
    const x = hostTensor(call.numbers('inShape'));
    return finiteDifference(adaptivePool([...call.input('dy').shape.slice(1, 4)]), [x], call.input('dy'), STEP);
  },
  MimicGatherRows: (call) => [reference.gatherRowsReference(call.input('table'), call.input('indices').values)],
  MimicScatterAddRows: (call) => {
    const dy = call.input('dy');
    const width = at(dy.shape, 1);
    const table = hostTensor([call.number('rows'), width]);
    call.input('indices').values.forEach((row, i) => {
      for (let c = 0; row >= 0 && c < width; c++) {
        table.values[row * width + c] = at(table.values, row * width + c) + at(dy.values, i * width + c);
      }
    });
    return [table];
  },
  MimicLinearCrossEntropy: (call) => [crossEntropy(call)(call.input('hidden'), call.input('weight'))],
  MimicLinearCrossEntropyGradHidden: (call) => slopes(call, crossEntropy(call), ['hidden', 'weight']).slice(0, 1),
  MimicLinearCrossEntropyGradWeight: (call) => slopes(call, crossEntropy(call), ['hidden', 'weight']).slice(1),
  MimicDropout: (call) => [reference.dropoutReference(call.input('x'), call.number('rate'), call.number('seed'))],
  MimicAdamW: (call) => {
    const options = {
      lr: call.number('lr'),
      beta1: call.number('beta1'),
      beta2: call.number('beta2'),
      eps: call.number('eps'),
      weightDecay: call.number('weightDecay'),
      step: call.number('step'),
      gradScale: call.number('gradScale'),
    };
    return reference.adamWReference(call.input('param'), call.input('grad'), call.input('m'), call.input('v'), options);
  },
  MimicSumSquares: (call) => [sumSquares(call.input('x'))],
};

function toKernel(kernelName: string, compute: ReferenceKernel): tf.KernelConfig {
  return {
    kernelName,
    backendName: 'cpu',
    kernelFunc: ({ inputs, attrs = {}, backend }) => {
      const cpu = backend as MathBackendCPU;
      const outputs = compute({
        input: (name) => {
          const info = inputs[name];
          if (info === undefined) throw new RangeError(`${kernelName}: no input '${name}'`);
          return hostTensor(info.shape, cpu.readSync(info.dataId) as Float32Array);
        },
        has: (name) => inputs[name] !== undefined,
        number: (name, absent) => {
          const value = attrs[name] ?? absent;
          if (typeof value !== 'number') throw new TypeError(`${kernelName}: attribute '${name}' is ${value}`);
          return value;
        },
        numbers: (name) => {
          const value = attrs[name];
          if (!Array.isArray(value)) throw new TypeError(`${kernelName}: attribute '${name}' is ${value}`);
          return value.map(Number);
        },
        flag: (name) => {
          const value = attrs[name];
          if (typeof value !== 'boolean') throw new TypeError(`${kernelName}: attribute '${name}' is ${value}`);
          return value;
        },
      }).map(({ shape, values }) => cpu.makeTensorInfo([...shape], 'float32', Float32Array.from(values)));
      const [first] = outputs;
      return outputs.length === 1 && first !== undefined ? first : outputs;
    },
  };
}

/** Adds the fused kernels to the cpu backend; the result removes them again. */
export function registerReferenceKernels(): () => void {
  for (const [name, compute] of Object.entries(KERNELS)) tf.registerKernel(toKernel(name, compute));
  return () => {
    for (const name of Object.keys(KERNELS)) tf.unregisterKernel(name, 'cpu');
  };
}
