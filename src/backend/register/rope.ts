/** Rotary position embedding with tables of cos and sin kept on the device. */
import { BackendError } from '../../base/errors.js';
import type { NativeBackend } from '../native-backend.js';
import { flagAttr, input, type Kernel, numberAttr, registerTable, requireFloat, variant } from './kernel.js';

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
    const frequency = theta ** (-j / half);
    for (let position = 0; position < capacity; position++) {
      values[position * half + j] = Math.cos(position * frequency);
      values[(capacity + position) * half + j] = Math.sin(position * frequency);
    }
  }
  const address = backend.device.alloc(values.byteLength);
  backend.device.write(address, values);
  return { capacity, address };
}

function rotationTable(backend: NativeBackend, positions: number, half: number, theta: number): RotationTable {
  let own = tables.get(backend);
  if (own === undefined) {
    own = new Map();
    tables.set(backend, own);
  }
  const key = `${theta}/${half}`;
  const known = own.get(key);
  if (known !== undefined && known.capacity >= positions) return known;
  if (known !== undefined) backend.device.free(known.address, 2 * known.capacity * half * WORD_BYTES);
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

const rope: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  requireFloat('MimicRope', x);
  const positions = input(inputs, 'positions');
  const [batch = 0, time = 0, heads = 0, headDim = 0] = x.shape;
  const half = headDim / 2;
  const { address, capacity } = rotationTable(
    backend,
    // Positions given by the caller's word: reading them would make a device wait for all its queued work.
    numberAttr(attrs, 'positionCount', 0) || positionsNeeded(backend.readInts(positions)),
    half,
    numberAttr(attrs, 'theta'),
  );
  const storage = backend.floatStorage(x);
  const y = backend.make(x.shape, 'float32', storage);
  const sines = address + capacity * half * WORD_BYTES;
  const direction = flagAttr(attrs, 'inverse') ? -1 : 1;
  const addresses = [backend.address(x), backend.address(positions), address, sines, backend.address(y)];
  backend.device.launch(variant('rope', storage), ...addresses, batch * time, heads, half, direction);
  return y;
};

export function registerRope(backendName: string): void {
  registerTable(backendName, { MimicRope: rope });
}
