/** One rank on a GPU: every collective of NCCL on the device's memory, an error, and a wait that must end. */
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import { NativeBackend } from '../../../src/backend/native-backend.js';
import { useBackend } from '../../../src/backend/select.js';
import { openGroup } from '../../../src/distributed/open-communicator.js';
import { allGather, reduceScatterSum } from '../../../src/distributed/tensor-collectives.js';
import { withNccl } from '../../../src/distributed/with-nccl.js';

const group = openGroup();
await useBackend({ backend: 'native', device: 'cuda:0', precision: 'fp32' });
const communicator = withNccl(group.communicator);
const { rank, size } = communicator;
const say = (text: string) => process.stdout.write(`[${rank}] ${text}\n`);
say(communicator.name);

const backend: unknown = tf.backend();
if (!(backend instanceof NativeBackend)) throw new Error('no native backend');
const floats = (tensor: tf.Tensor) => ({ address: backend.address(tensor), length: tensor.size });

// Rank r brings r + 1, 10 (r + 1), ...: for each rank two values.
const own = tf.tensor1d(Array.from({ length: 2 * size }, (_, i) => (rank + 1) * 10 ** i));
// Made on the device just before: what NCCL reads has to come after it on the stream.
const doubled = tf.mul(own, 2) as tf.Tensor1D;
say(`reduceScatter ${reduceScatterSum(communicator, doubled).dataSync().join()}`);
say(
  `allGather ${allGather(communicator, tf.tensor1d([rank, -rank]))
    .dataSync()
    .join()}`,
);
communicator.allReduceSum(floats(own));
say(`allReduce ${own.dataSync().join()}`);
const sent = tf.tensor1d([rank, 7]);
communicator.broadcast(floats(sent), 1);
say(`broadcast ${sent.dataSync().join()}`);
const arrays = new Float64Array(size);
communicator.allGather(Float64Array.of(rank), arrays);
say(`array ${arrays.join()}`);

function attempt(what: string, work: () => void): void {
  try {
    work();
    say(`${what}: no error`);
  } catch (error) {
    say(`${what}: ${String((error as { code?: string }).code)} ${String(error)}`);
  }
}
// Rank 0 alone enters: it gives up after MIMIC_COLLECTIVE_TIMEOUT_SEC, and the others learn of it.
const gaveUp = process.argv[2] ?? '';
if (rank === 0) {
  attempt('alone', () => communicator.allReduceSum(floats(sent)));
  writeFileSync(gaveUp, '');
} else {
  while (!existsSync(gaveUp)) await setTimeout(20);
  attempt('after', () => communicator.allReduceSum(floats(sent)));
}
group.communicator.dispose();
