/**
 * One choice about a clip by a checkpoint, with the time of each stage and the process's peak memory, as a line of JSON.
 *
 *     node worker.js <checkpoint> <video> <fp32 | bf16> <threads> <repeats> [inputs.safetensors logits.safetensors]
 *
 * The files receive what was computed from (ids, -1 for a visual token, and normalised pixels) and the logits after the
 * prompt. The fastest of the repeats counts for each stage.
 */
import { watchPhases } from '../../src/base/phases.js';
import { tokenizeSample } from '../../src/data/prompt.js';
import { decodeVideo } from '../../src/data/video/decode-video.js';
import { choicePrompt, letterTokenIds } from '../../src/infer/choice-prompt.js';
import { MimicChat } from '../../src/infer/mimic-chat.js';
import { PhaseTimes } from '../../src/infer/phase-times.js';
import type { Frames } from '../../src/model/frames.js';
import { writeSafetensors } from '../../src/model/weights/safetensors.js';
import { peakRssBytes } from '../process-memory.js';
import { OPTIONS, QUESTION } from './question.js';

const [checkpoint = '', video = '', precision, threads, repeats = '1', inputsFile, logitsFile] = process.argv.slice(2);

/** As the spatial encoder sees them, [F, 3, H, W]. */
function pixelValues({ data, count, height, width }: Frames, mean: readonly number[], std: readonly number[]) {
  const plane = height * width;
  const out = new Float32Array(count * 3 * plane);
  for (let frame = 0; frame < count; frame++) {
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < plane; i++) {
        const byte = data[(frame * plane + i) * 3 + c] ?? 0;
        out[(frame * 3 + c) * plane + i] = (byte / 255 - (mean[c] ?? 0)) / (std[c] ?? 1);
      }
    }
  }
  return out;
}

const loading = new PhaseTimes();
const chat = await watchPhases(loading, () =>
  MimicChat.load(checkpoint, {
    backend: 'native',
    device: 'cpu',
    precision: precision === 'bf16' ? 'bf16' : 'fp32',
    threads: Number(threads),
  }),
);
const { model, prompt, tokenizer, sampling } = chat.parts;
const afterLoadBytes = peakRssBytes();
const decodeStarted = performance.now();
const frames = await decodeVideo(video, sampling);
const decodeMs = performance.now() - decodeStarted;

const passes: Record<string, number>[] = [];
let logits_V = new Float32Array(0);
let choice = '';
let probabilities: readonly number[] = [];
for (let i = 0; i < Number(repeats); i++) {
  const times = new PhaseTimes();
  await watchPhases(times, async () => {
    const session = await chat.encode(frames);
    ({ letter: choice, probabilities } = await session.choose(QUESTION, OPTIONS));
    if (logits_V.length === 0 && logitsFile !== undefined) {
      const text = choicePrompt(QUESTION, OPTIONS, prompt.wording);
      const [first] = await session.promptLogits(text, { count: 0 });
      logits_V = new Float32Array(first ?? []);
    }
    session.dispose();
  });
  passes.push({ ...times.timings.ms });
}
const seconds: Record<string, number> = { load: (loading.timings.ms.load ?? 0) / 1000, decode: decodeMs / 1000 };
for (const name of Object.keys(passes[0] ?? {})) {
  seconds[name] = Math.min(...passes.map((pass) => pass[name] ?? Number.POSITIVE_INFINITY)) / 1000;
}
const peakBytes = peakRssBytes();

const dialogue = [{ prompt: choicePrompt(QUESTION, OPTIONS, prompt.wording) }];
const { ids } = tokenizeSample(tokenizer, prompt, dialogue, model.visualBlock());
if (inputsFile !== undefined && logitsFile !== undefined) {
  const { spatial } = frames;
  const { mean, std } = model.config.spatial;
  const shape = [spatial.count, 3, spatial.height, spatial.width];
  await writeSafetensors(inputsFile, [
    { name: 'ids', dtype: 'I32', shape: [ids.length], data: ids },
    { name: 'pixel_values', dtype: 'F32', shape, data: pixelValues(spatial, mean, std) },
  ]);
  await writeSafetensors(logitsFile, [{ name: 'logits', dtype: 'F32', shape: [logits_V.length], data: logits_V }]);
}
const letters = letterTokenIds(tokenizer, OPTIONS.length);
const result = {
  seconds,
  peakBytes,
  afterLoadBytes,
  tokens: ids.length,
  frames: frames.spatial.count,
  imageToken: tokenizer.special('<IMG_CONTEXT>'),
  letters,
  choice,
  probabilities,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
