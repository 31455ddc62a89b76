/** InternVL2.5 composed, and its parts, against transformers' InternVLForConditionalGeneration in fp32. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generate } from '../../src/infer/generate.js';
import { ModelSequence } from '../../src/infer/model-sequence.js';
import { type MimicChatModel, VISUAL_ID } from '../../src/model/mimic-chat.js';
import { NATIVE } from '../backend/native.js';
import { CPU, useBackend } from '../support/backends.js';
import type { HostTensor } from '../support/host-tensor.js';
import { type Golden, readGolden } from './goldens.js';
import { maxDifference } from './measures.js';
import { FAMILIES, IMAGE_TOKEN, loadedInternvl, logitsOf, taken, visualTokensOf } from './tiny-reference.js';

for (const backend of [NATIVE, CPU]) {
  describe.each(FAMILIES)(`InternVL2.5 with %s on ${backend.label}`, (family) => {
    useBackend(backend);
    let golden: Golden;
    let model: MimicChatModel;
    beforeAll(async () => {
      golden = await readGolden(`internvl-${family}.safetensors`);
      model = await loadedInternvl(family);
    });
    afterAll(() => model.dispose());

    // Measured on both backends and families: features 1.2e-7, visual tokens 8.3e-7, logits 6.6e-6 (of values up to 8.8).
    const far = (got: HostTensor, name: string) => maxDifference(got, golden.tensor(name));

    it('gives the features of InternViT after the pixel shuffle', () => {
      const features = taken(model.spatialEncoder.encode(golden.frames('frames')), golden.tensor('shuffled').shape);
      expect(far(features, 'shuffled')).toBeLessThan(1e-6);
    });

    it('gives the visual tokens of mlp1; fresh gates and positions change nothing', () => {
      const tokens = taken(visualTokensOf(model, golden), golden.tensor('projected').shape);
      expect(far(tokens, 'projected')).toBeLessThan(1e-5);
    });

    it('gives the logits of text alone, two sequences at once', () => {
      expect(far(logitsOf(model, family, golden, 'text_ids'), 'text_logits')).toBeLessThan(1e-4);
    });

    it('gives the logits of a prompt with two frames', () => {
      expect(far(logitsOf(model, family, golden, 'ids'), 'logits')).toBeLessThan(1e-4);
    });

    // The reference's two best tokens are at least 0.01 apart at every step, a hundred times the logits' tolerance.
    it('writes the same 64 tokens greedily, key by key from the cache', async () => {
      const visual = visualTokensOf(model, golden);
      const prefix = new ModelSequence(model, 256);
      const prompt = [...golden.ids('ids')].map((id) => (id === IMAGE_TOKEN[family] ? VISUAL_ID : id));
      await prefix.append(prompt.slice(0, -1), visual);
      const options = { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0, n: 1, maxTokens: 64 };
      const written: number[] = [];
      for await (const event of generate(prefix, prompt.slice(-1), { ...options, stopIds: [] })) {
        if ('id' in event) written.push(event.id);
      }
      prefix.dispose();
      visual.dispose();
      expect(written).toHaveLength(64);
      expect(written).toEqual([...golden.ids('greedy')]);
    });
  });
}
