/** One decoder layer of the 8B model with LoRA on wqkv and wo, bf16: forward, and forward with backward, beside PyTorch. */
import * as tf from '@tensorflow/tfjs-core';
import { loraTargets } from '../../../src/model/language-family.js';
import { valueAndGradients } from '../../../src/train/backward.js';
import { languageConfig, randomDecoder, randomTensor } from '../decoder.js';
import { type SectionContext, speedRow } from '../section.js';
import { interleavedOnGpu, onWallClock } from '../timing.js';

/** Both passes through TF.js, as a training step with checkpointing runs them. */
export async function layer({ gpu, torch, quick, add }: SectionContext): Promise<void> {
  const { language, lora } = languageConfig(quick, 1);
  const { decoder, store } = randomDecoder(language, lora);
  const adapters = store.trainable().map((parameter) => parameter.value);
  for (const tokens of quick ? [24] : [2048, 4096, 8192]) {
    const x = randomTensor([1, tokens, language.hiddenSize], 'bf16', 1);
    const dy = randomTensor([1, tokens, language.hiddenSize], 'bf16', 1);
    const forward = () => tf.dispose(tf.tidy(() => decoder.applyBlock(0, x)));
    const both = () => {
      const { value, gradients } = valueAndGradients(() => decoder.applyBlock(0, x), [x, ...adapters], dy);
      tf.dispose([value, ...gradients.filter((gradient) => gradient !== undefined)]);
    };
    for (const [pass, work] of [
      ['forward', forward],
      ['forward + backward', both],
    ] as const) {
      const targets = loraTargets(language.family, lora.targets);
      const sizes = { ...language, loraRank: lora.rank, loraAlpha: lora.alpha, loraTargets: targets.join() };
      const theirs = torch?.sample({ do: 'layer', ...sizes, tokens, backward: pass !== 'forward' });
      const before = gpu.stats().matmulFlops;
      work();
      const flops = gpu.stats().matmulFlops - before;
      const [ms = Number.NaN, theirMs] = await interleavedOnGpu([onWallClock(gpu, work), theirs], quick);
      const peer = theirMs === undefined ? undefined : (1000 * tokens) / theirMs;
      const note = `${ms.toFixed(2)} ms, ${(flops / ms / 1e9).toFixed(0)} TFLOP/s of products and (full) attention`;
      const name = `8B layer with LoRA, ${pass}, ${tokens} tokens`;
      const figures = { ours: (1000 * tokens) / ms, unit: 'tokens/s', peer, peerName: 'PyTorch eager, SDPA' };
      add(speedRow({ name, ...figures, note }));
    }
    tf.dispose([x, dy]);
  }
  store.dispose();
}
