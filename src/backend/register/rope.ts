/** Rotary position embedding with tables of cos and sin kept on the device. */
import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { BackendError } from '../../base/errors.js';
import { rotaryAngle, rotaryFrequency } from '../../base/rotary-angle.js';
import type { NativeBackend } from '../native-backend.js';
import {
  commonStorage,
  flagAttr,
  input,
  type Kernel,
  numberAttr,
  registerTable,
  requireFloat,
  variant,
} from './kernel.js';

const WORD_BYTES = 4;

/** cos and sin of position * theta^(-j/half), [capacity, half] each, one after the other. */
interface RotationTable {
  readonly capacity: number;
  readonly address: number;
}

/** By backend (a WeakMap, so that tests may make many), then by "theta/half". */
const tables = new WeakMap<NativeBackend, Map<string, RotationTable>>();

function buildTable(backend: NativeBackend, capacity: number, half: number, theta: number): RotationTable {
  const values = new Float32Array(2 * capacity * half);
  for (let j = 0; j < half; j++) {
    const frequency = rotaryFrequency(theta, j, half);
    for (let position = 0; position < capacity; position++) {
      const angle = rotaryAngle(position, frequency);
      values[position * half + j] = Math.cos(angle);
      values[(capacity + position) * half + j] = Math.sin(angle);
    }
  }
  const address = backend.device.alloc(values.byteLength);
  backend.device.write(address, values);
  return { capacity, address };
}

/** The table for `positions` positions; an outgrown one stays, since recorded work may still read it. */
function rotationTable(backend: NativeBackend, positions: number, half: number, theta: number): RotationTable {
  let own = tables.get(backend);
  if (own === undefined) {
    own = new Map();
    tables.set(backend, own);
  }
  const key = `${theta}/${half}`;
  const known = own.get(key);
  if (known !== undefined && known.capacity >= positions) return known;
  const table = buildTable(backend, 2 ** Math.ceil(Math.log2(Math.max(positions, 64))), half, theta);
  own.set(key, table);
  return table;
}

function positionsNeeded(positions: Int32Array): number {
  let largest = 0;
  for (const position of positions) {
    if (position < 0)
      throw new BackendError('E_POSITION_RANGE', `native MimicRope: got position ${position}, expected 0 or more`);
    if (position > largest) largest = position;
  }
  return largest + 1;
}

/** Addresses of the cosines and the sines that the kernel's positions ask for. */
function rotations(backend: NativeBackend, positions: TensorInfo, half: number, attrs: NamedAttrMap): [number, number] {
  // Positions given by the caller's word: reading them would make a device wait for all its queued work.
  const count = numberAttr(attrs, 'positionCount', 0) || positionsNeeded(backend.readInts(positions));
  const { address, capacity } = rotationTable(backend, count, half, numberAttr(attrs, 'theta'));
  return [address, address + capacity * half * WORD_BYTES];
}

const rope: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  requireFloat('MimicRope', x);
  const positions = input(inputs, 'positions');
  const [batch = 0, time = 0, heads = 0, headDim = 0] = x.shape;
  const half = headDim / 2;
  const storage = backend.floatStorage(x);
  const tables = rotations(backend, positions, half, attrs);
  const y = backend.make(x.shape, 'float32', storage);
  const direction = flagAttr(attrs, 'inverse') ? -1 : 1;
  const addresses = [backend.address(x), backend.address(positions), ...tables, backend.address(y)];
  backend.device.launch(variant('rope', storage), ...addresses, batch * time, heads, half, direction);
  return y;
};

/** Sizes of the fused projection [B, T, F]: its heads in groups of `perGroup` query heads, a key and a value head. */
function headSizes(width: number, attrs: NamedAttrMap) {
  const groups = numberAttr(attrs, 'groups');
  const perGroup = numberAttr(attrs, 'perGroup');
  return { groups, perGroup, headDim: width / (groups * (perGroup + 2)) };
}

const splitRope: Kernel = (backend, inputs, attrs) => {
  const [x, positions] = [input(inputs, 'x'), input(inputs, 'positions')];
  requireFloat('MimicSplitRope', x);
  const [batch = 0, time = 0, width = 0] = x.shape;
  const { groups, perGroup, headDim } = headSizes(width, attrs);
  const storage = backend.floatStorage(x);
  const tables = rotations(backend, positions, headDim / 2, attrs);
  const parts = [groups * perGroup, groups, groups].map((heads) =>
    backend.make([batch, time, heads, headDim], 'float32', storage),
  );
  const addresses = [x, positions].map((tensor) => backend.address(tensor));
  const rows = batch * time * groups;
  const to = parts.map((tensor) => backend.address(tensor));
  backend.device.launch(
    variant('split_rope', storage),
    ...addresses,
    ...tables,
    ...to,
    rows,
    groups,
    perGroup,
    headDim / 2,
  );
  return parts;
};

const splitRopeGrad: Kernel = (backend, inputs, attrs) => {
  const parts = [input(inputs, 'dq'), input(inputs, 'dk'), input(inputs, 'dv')];
  requireFloat('MimicSplitRopeGrad', ...parts);
  const storage = commonStorage(backend, ...parts);
  const positions = input(inputs, 'positions');
  const [batch = 0, time = 0, groups = 0, headDim = 0] = input(inputs, 'dk').shape;
  const perGroup = numberAttr(attrs, 'perGroup');
  const tables = rotations(backend, positions, headDim / 2, attrs);
  const dx = backend.make([batch, time, groups * (perGroup + 2) * headDim], 'float32', storage);
  const stored = parts.map((tensor) => backend.inStorage(tensor, storage));
  const addresses = [...stored, positions].map((tensor) => backend.address(tensor));
  const rows = batch * time * groups;
  const sizes = [rows, groups, perGroup, headDim / 2];
  backend.device.launch(variant('split_rope_grad', storage), ...addresses, ...tables, backend.address(dx), ...sizes);
  for (const tensor of stored) backend.discard(tensor);
  return dx;
};

export function registerRope(backendName: string): void {
  registerTable(backendName, { MimicRope: rope, MimicSplitRope: splitRope, MimicSplitRopeGrad: splitRopeGrad });
}
