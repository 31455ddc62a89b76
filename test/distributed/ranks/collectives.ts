/** One rank: every collective on arrays and on memory of its own, compared with sums made in the order of the ranks. */
import { address as addressOf, alloc, view } from 'koffi';
import { Rng } from '../../../src/base/rng.js';
import type { Communicator, DeviceFloats } from '../../../src/distributed/communicator.js';
import { openGroup } from '../../../src/distributed/open-communicator.js';

const { communicator } = openGroup();
const { rank, size } = communicator;

/** What rank `r` brings: anyone can draw it. */
function drawn(r: number, length: number): Float32Array {
  const rng = new Rng(11, 'collectives').fork(r);
  return Float32Array.from({ length }, () => rng.normal());
}

/** In float32, rank after rank. */
function sumInOrder(length: number): Float32Array {
  const sum = drawn(0, length);
  for (let r = 1; r < size; r++) for (const [i, value] of drawn(r, length).entries()) sum[i] = (sum[i] ?? 0) + value;
  return sum;
}

function onDevice(values: Float32Array): { floats: DeviceFloats; read: () => Float32Array } {
  const pointer: unknown = alloc('float', values.length);
  const memory = new Float32Array(view(pointer, values.byteLength));
  memory.set(values);
  return { floats: { address: Number(addressOf(pointer)), length: values.length }, read: () => memory.slice() };
}

function expectEqual(got: ArrayLike<number>, want: ArrayLike<number>, what: string): void {
  if (got.length !== want.length) throw new Error(`${what}: ${got.length} values, not ${want.length}`);
  for (let i = 0; i < want.length; i++) {
    if (got[i] !== want[i]) throw new Error(`rank ${rank}, ${what}: value ${i} is ${got[i]}, not ${want[i]}`);
  }
}

function check(each: number, communicator: Communicator): void {
  const length = each * size;
  const sum = sumInOrder(length);
  const own = sum.slice(rank * each, (rank + 1) * each);
  const all = Array.from({ length: size }, (_, r) => [...drawn(r, each)]).flat();

  const reduced = drawn(rank, length);
  communicator.allReduceSum(reduced);
  expectEqual(reduced, sum, 'allReduceSum of an array');
  const odd = drawn(rank, length + 1);
  communicator.allReduceSum(odd);
  expectEqual(odd, sumInOrder(length + 1), 'allReduceSum of a length that the ranks do not divide');
  const part = new Float32Array(each);
  communicator.reduceScatterSum(drawn(rank, length), part);
  expectEqual(part, own, 'reduceScatterSum of an array');
  const whole = new Float32Array(length);
  communicator.allGather(drawn(rank, each), whole);
  expectEqual(whole, all, 'allGather of an array');
  const gathered = rank === size - 1 ? new Float32Array(length) : null;
  communicator.gather(drawn(rank, each), gathered, size - 1);
  if (gathered !== null) expectEqual(gathered, all, 'gather');
  const sent = drawn(rank, each);
  communicator.broadcast(sent, size - 1);
  expectEqual(sent, drawn(size - 1, each), 'broadcast');

  const inPlace = onDevice(drawn(rank, length));
  communicator.allReduceSum(inPlace.floats);
  expectEqual(inPlace.read(), sum, 'allReduceSum on the device');
  const slice = onDevice(new Float32Array(each));
  communicator.reduceScatterSum(onDevice(drawn(rank, length)).floats, slice.floats);
  expectEqual(slice.read(), own, 'reduceScatterSum on the device');
  const filled = onDevice(new Float32Array(length));
  communicator.allGather(onDevice(drawn(rank, each)).floats, filled.floats);
  expectEqual(filled.read(), all, 'allGather on the device');
}

// The second is larger than what waits with pauses.
for (const each of [3, 20_000]) check(each, communicator);
const doubles = Float64Array.of(0.1 * (rank + 1), 1);
communicator.allReduceSum(doubles);
expectEqual(doubles.slice(1), [size], 'allReduceSum of doubles');
communicator.barrier();
process.stdout.write(`rank ${rank} of ${size}: ${communicator.collectives} collectives, ${communicator.name}\n`);
communicator.dispose();
