/**
 * A 20-second clip end to end but for its decoding, which the CPU does: both encoders, prefill, the answer to one choice; by
 * the whole 8B model in bf16. The paper's own figures, on an RTX A6000: 5 to 10 s, about 24 GB.
 */
import * as tf from '@tensorflow/tfjs-core';
import { Rng } from '../../../src/base/rng.js';
import { ModelSequence } from '../../../src/infer/model-sequence.js';
import { releaseKeptMemory } from '../../../src/infer/release-memory.js';
import type { Frames } from '../../../src/model/frames.js';
import { VISUAL_ID } from '../../../src/model/mimic-chat.js';
import { PARTS } from '../../../src/model/parameters.js';
import { median } from '../../measure.js';
import { modelConfig, randomModel } from '../model.js';
import { type SectionContext, speedRow } from '../section.js';

const FPS = 30;
const SECONDS = 20;
const QUESTION_TOKENS = 120;
const GIB = 2 ** 30;

function randomFrames(count: number, side: number): Frames {
  const rng = new Rng(3, 'bench/frames');
  const frame = Uint8Array.from({ length: side * side * 3 }, () => Math.floor(256 * rng.uniform()));
  const data = new Uint8Array(count * frame.length);
  for (let i = 0; i < count; i++) data.set(frame, i * frame.length);
  return {
    ...{ data, count, height: side, width: side },
    ...{ indices: new Int32Array(count), timesSec: new Float64Array(count) },
  };
}

export async function clip({ gpu, quick, add }: SectionContext): Promise<void> {
  const config = modelConfig(quick);
  const model = randomModel(config, PARTS, []);
  const { imageSize, numFrames } = config.spatial;
  const frames = quick ? 6 : FPS * SECONDS;
  const spatial = randomFrames(numFrames, imageSize);
  const question = Array.from({ length: quick ? 5 : QUESTION_TOKENS }, (_, i) => i % config.language.vocabSize);
  // Every frame, as the paper's full sequence; then the frames that TimeSformer's own recipe takes.
  for (const count of [frames, quick ? 4 : 16]) {
    const temporal = randomFrames(count, imageSize);
    const stages: { encode: number[]; answer: number[] } = { encode: [], answer: [] };
    for (let run = 0; run < (quick ? 2 : 4); run++) {
      gpu.synchronize();
      const started = performance.now();
      const features = model.encodeFrames({ spatial, temporal });
      gpu.synchronize();
      const encoded = performance.now();
      const visual = model.visualTokens([features]);
      features.dispose();
      releaseKeptMemory();
      const visualTokens = visual.shape[1];
      const ids = [model.vidId, ...new Array<number>(visualTokens).fill(VISUAL_ID), model.sepId];
      const sequence = new ModelSequence(model, ids.length + question.length);
      await sequence.append(ids, visual);
      await sequence.append(question);
      const ended = performance.now();
      sequence.dispose();
      tf.dispose(visual);
      if (run === 0) continue;
      stages.encode.push(encoded - started);
      stages.answer.push(ended - encoded);
    }
    const [encode, answer] = [median(stages.encode), median(stages.answer)];
    const name = `8B choice about a clip of ${count} frames, without decoding`;
    const note = `encoders ${(encode / 1000).toFixed(2)} s, prefill and answer ${(answer / 1000).toFixed(2)} s`;
    const shared = { peer: undefined, peerName: '' };
    add(speedRow({ name, ours: (encode + answer) / 1000, unit: 's', ...shared, note }));
  }
  const ours = gpu.stats().peakBytes / GIB;
  add(speedRow({ name: '8B choice about a clip, peak memory', ours, unit: 'GiB', peer: undefined, peerName: '' }));
  model.dispose();
}
