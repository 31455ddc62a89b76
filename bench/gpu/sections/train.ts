/**
 * LoRA steps of the 8B model's language part at 4096 tokens in bf16 with gradient checkpointing: forward, backward,
 * clipping, AdamW, beside transformers + peft with SDPA and its gradient checkpointing.
 *
 * One side after the other, each alone in the GPU's memory, so that the peaks are its own and a card of 48 GB has room; ours
 * runs before and after the peer, and both count.
 */
import type { CudaDevice } from '../../../src/backend/cuda/cuda-device.js';
import { median } from '../../measure.js';
import { trainerOf } from '../../step-trainer.js';
import { modelConfig, randomModel, textBatch } from '../model.js';
import { type SectionContext, speedRow } from '../section.js';

const TOKENS = 4096;
const LEARNING_RATE = 1e-4;
const GIB = 2 ** 30;

/** Dense bf16 with fp32 sums, TFLOP/s, as the maker gives it: what MFU is a share of. */
const PEAK_TFLOPS: readonly (readonly [RegExp, number])[] = [
  [/H100.*PCIe/, 756],
  [/H100|H200|GH200/, 989],
  [/A100|A800/, 312],
  [/RTX A6000/, 154.8],
  [/L40S/, 362],
];

interface Steps {
  readonly ms: number[];
  readonly peakBytes: number;
  readonly loss: number;
}

function ourSteps(gpu: CudaDevice, quick: boolean, batchSize: number, count: number): Steps & { parameters: number } {
  const config = modelConfig(quick);
  const model = randomModel(config, ['language model', 'lora', 'special tokens'], ['lora']);
  const parts = model.parameters.list().filter(({ part }) => part === 'language model');
  const parameters = parts.reduce((sum, { size }) => sum + size, 0);
  const { trainer, optimizer } = trainerOf(model, true);
  const batch = textBatch(config, batchSize, quick ? 24 : TOKENS);
  const ms: number[] = [];
  let loss = Number.NaN;
  try {
    // The first compiles, chooses algorithms and fills the pool.
    for (let step = 0; step <= count; step++) {
      gpu.synchronize();
      const started = performance.now();
      ({ loss } = trainer.step(step, [batch], LEARNING_RATE));
      gpu.synchronize();
      if (step > 0) ms.push(performance.now() - started);
    }
    return { ms, loss, parameters, peakBytes: gpu.stats().peakBytes };
  } finally {
    optimizer.dispose();
    model.dispose();
    gpu.releaseCached();
  }
}

export async function train({ gpu, torch, quick, add }: SectionContext): Promise<void> {
  const { language, lora } = modelConfig(quick);
  const peak = PEAK_TFLOPS.find(([pattern]) => pattern.test(gpu.properties.name))?.[1];
  const count = quick ? 1 : 4;
  for (const batchSize of quick ? [1] : [1, 2]) {
    const tokens = batchSize * (quick ? 24 : TOKENS);
    const before = ourSteps(gpu, quick, batchSize, count);
    const work = { do: 'train_step', ...language, loraRank: lora.rank, loraAlpha: lora.alpha, batch: batchSize };
    const theirs = await torch?.measure({ ...work, tokens: tokens / batchSize, steps: count });
    await torch?.free();
    const after = torch === undefined ? undefined : ourSteps(gpu, quick, batchSize, count);
    const ms = median([...before.ms, ...(after?.ms ?? [])]);
    const teraflops = (milliseconds: number) => (4 * before.parameters * tokens) / milliseconds / 1e9;
    const share = (milliseconds: number) =>
      peak === undefined
        ? 'peak of this card not known'
        : `${((100 * teraflops(milliseconds)) / peak).toFixed(1)} % MFU`;
    const name = `8B LoRA step, ${batchSize} x ${tokens / batchSize} tokens`;
    const peerName = 'transformers + peft, SDPA, gradient checkpointing';
    const note =
      `${ms.toFixed(0)} ms, ${teraflops(ms).toFixed(0)} TFLOP/s by 4N, ${share(ms)}` +
      `${theirs === undefined ? '' : `; theirs ${share(theirs.ms)}`}; losses after ${count + 1} steps ${before.loss.toFixed(3)}${theirs === undefined ? '' : ` and ${theirs.loss.toFixed(3)}`}`;
    const speed = (milliseconds: number | undefined) =>
      milliseconds === undefined ? undefined : (1000 * tokens) / milliseconds;
    add(speedRow({ name, ours: speed(ms) ?? 0, unit: 'tokens/s', peer: speed(theirs?.ms), peerName, note }));
    const [ours, peer] = [before.peakBytes / GIB, theirs === undefined ? undefined : theirs.peakBytes / GIB];
    const memoryNote = 'weights and AdamW state included; the most that was live at once, on both sides';
    const row = speedRow({ name: `${name}, peak memory`, ours, unit: 'GiB', peer, peerName, note: memoryNote });
    add({ ...row, ...(peer === undefined ? {} : { ratio: Number((peer / ours).toPrecision(4)) }) });
  }
}
