import type { MimicChatModel } from '../../src/model/mimic-chat.js';
import { type Batch, collate } from '../../src/train/batch.js';
import type { Golden } from './goldens.js';

/** The batches of two videos that a golden of training holds, encoded by the model. */
export function batchesOf(model: MimicChatModel, golden: Golden): Batch[] {
  const keys = golden.namesBelow('batch.').filter((name) => name.endsWith('.ids'));
  const numbers = [...new Set(keys.map((key) => Number(key.split('.')[0])))].sort((a, b) => a - b);
  return numbers.map((batch) =>
    collate(
      [0, 1].map((sample) => {
        const key = `batch.${batch}.${sample}`;
        const frames = { spatial: golden.frames(`${key}.spatial`), temporal: golden.frames(`${key}.temporal`) };
        const [ids, labels] = [golden.ids(`${key}.ids`), golden.ids(`${key}.labels`)];
        const tokens = { ids, labels, numVisual: model.numVisualTokens(), answerTurn: new Int32Array(ids.length) };
        return { id: key, tokens, features: model.encodeFrames(frames) };
      }),
      'token',
    ),
  );
}

export function disposeBatches(batches: readonly Batch[]): void {
  for (const { features } of batches) for (const video of features) video.dispose();
}
