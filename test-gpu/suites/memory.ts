/** A full GPU explains itself and goes on; thousands of rounds leave memory flat. */

import { runAttention, smallAttention } from '../../src/backend/self-test/attention-cases.js';
import { KERNEL_FAMILIES } from '../../src/backend/self-test/calls/index.js';
import { SMALL_SHAPES } from '../../src/backend/self-test/calls/shapes.js';
import { errorOf } from '../../src/backend/self-test/device-array.js';
import { DeviceMemory } from '../../src/backend/self-test/device-memory.js';
import { normals, runCall } from '../../src/backend/self-test/kernel-call.js';
import { matrixCases, runProduct, SMALL_PRODUCTS } from '../../src/backend/self-test/matrix-cases.js';
import { BackendError } from '../../src/base/errors.js';
import { expectation, type SuiteContext, type SuitePart } from '../suite.js';

const MIB = 2 ** 20;
/** Growth of the process between two halves of the same rounds: garbage collection alone moves it by some 20 MiB. */
const RSS_MIB = 64;

function outOfMemory(gpu: SuiteContext['gpu']): string | undefined {
  const memory = new DeviceMemory(gpu);
  try {
    const kept = normals(1000);
    const address = memory.put(kept, 'f32');
    const before = gpu.stats().liveBytes;
    try {
      memory.alloc(2 * gpu.properties.totalBytes);
      return 'twice the memory of the GPU was given';
    } catch (error) {
      if (!(error instanceof BackendError)) return `got ${String(error)}`;
      if (error.code !== 'E_OUT_OF_MEMORY') return `got ${error.code}`;
      if (!/cuda:\d/.test(error.message) || !/[KMG]iB/.test(error.message))
        return `the message says "${error.message}"`;
      if (error.hint === undefined) return 'the error has no hint';
    }
    if (gpu.stats().liveBytes !== before) return 'the failed request counts as memory in use';
    return errorOf(memory.get(address, kept.length, 'f32'), kept) === 0 ? undefined : 'data was lost';
  } finally {
    memory.dispose();
  }
}

function leaks(gpu: SuiteContext['gpu'], rounds: number): string | undefined {
  const calls = Object.values(KERNEL_FAMILIES).map((calls) => calls(SMALL_SHAPES)[0]);
  const products = matrixCases(SMALL_PRODUCTS).slice(0, 3);
  const attentions = smallAttention().slice(0, 4);
  const round = () => {
    for (const call of calls) if (call !== undefined) runCall(gpu, call, 'f32');
    for (const product of products) runProduct(gpu, product);
    for (const one of attentions) runAttention(gpu, one);
  };
  for (let i = 0; i < rounds / 10; i++) round();
  const [stats, rss] = [gpu.stats(), process.memoryUsage.rss()];
  for (let i = 0; i < rounds; i++) round();
  const after = gpu.stats();
  if (after.liveBytes !== stats.liveBytes) return `${after.liveBytes - stats.liveBytes} more device bytes in use`;
  if (after.cachedBytes !== stats.cachedBytes) return `${after.cachedBytes - stats.cachedBytes} more device bytes kept`;
  const grown = (process.memoryUsage.rss() - rss) / MIB;
  return grown < RSS_MIB ? undefined : `the process grew by ${grown.toFixed(0)} MiB`;
}

export function* memory({ gpu, quick }: SuiteContext): Iterable<SuitePart> {
  const rounds = quick ? 10 : 2000;
  yield {
    name: 'memory',
    comparisons: [
      expectation('a request beyond the GPU fails with its size, a hint, and nothing lost', () => outOfMemory(gpu)),
      expectation(`${rounds} rounds of kernels, products and attention leave memory flat`, () => leaks(gpu, rounds)),
    ],
  };
}
