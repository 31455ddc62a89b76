/**
 * Plans an answer about a video: the very code of `mimic choose` runs on a device without memory, so whatever changes there
 * changes here. Of the weights only the files' headers are read.
 */
import { type PhaseName, watchPhases } from '../base/phases.js';
import { tokenizeSample } from '../data/prompt.js';
import { MimicChat } from '../infer/mimic-chat.js';
import { numVisualTokens } from '../model/config.js';
import { blankFrames } from '../train/blank-sample.js';
import { type DevicePlan, onDevice, withSpeed } from './device.js';
import { MemoryMeter } from './memory-meter.js';
import { partPlans } from './parts.js';
import type { PhasePlan, Plan } from './plan.js';
import { processBytes } from './process-memory.js';

export interface InferencePlanOptions extends DevicePlan {
  readonly checkpoint: string;
  /** A video to decode; without one `frames` blank ones. */
  readonly video?: string | undefined;
  /** Frames of the full sequence, for the temporal branch. */
  readonly frames?: number | undefined;
}

/** Two seconds at 8 a second. */
const DEFAULT_FRAMES = 16;
/** As long as a benchmark's questions are. */
const QUESTION = 'Which of the following titles would the author of this video have given it?';
const OPTIONS = [
  'A day at the training ground',
  'How I learnt to cook',
  'Morning routine',
  'The last game of the season',
];
/** Tokens of an answer in words: enough for the cache to have grown and the buffers to be in use. */
const WRITTEN_TOKENS = 2;

/** After the answer's first token; `decode` is what videos are. */
const NEXT_TOKENS = 'next tokens';

const COMPUTED: readonly PhaseName[] = ['spatial encoder', 'temporal encoder', 'prefill', 'answer'];

/** @throws CheckpointError, DataError as `MimicChat.load` and `encode` */
export async function planInference(options: InferencePlanOptions): Promise<Plan> {
  const { checkpoint, video, frames = DEFAULT_FRAMES, precision } = options;
  return onDevice(options, async (finish) => {
    const meter = new MemoryMeter();
    const chat = await watchPhases(meter, () => MimicChat.load(checkpoint, { backend: 'null', precision }));
    const { model, tokenizer, prompt, sampling, contextLength } = chat.parts;
    const blank = () => ({
      spatial: blankFrames(sampling.numFrames, sampling.size),
      temporal: blankFrames(Math.min(frames, sampling.temporal.maxFrames ?? frames), sampling.size),
    });
    await watchPhases(meter, async () => {
      const session = await chat.encode(video ?? blank());
      await session.choose(QUESTION, OPTIONS);
      meter.enter();
      for await (const _ of session.generate(QUESTION, { maxTokens: WRITTEN_TOKENS, temperature: 0 }));
      meter.leave(NEXT_TOKENS);
      session.dispose();
    });
    const outside = processBytes();
    const sample = tokenizeSample(
      tokenizer,
      prompt,
      [{ prompt: [QUESTION, ...OPTIONS].join('\n') }],
      model.visualBlock(),
    );
    const weightBytes = meter.stage('load')?.after ?? 0;
    const prefill = meter.stage('prefill');
    const visual = numVisualTokens(model.config);
    const phases = [...COMPUTED, NEXT_TOKENS].flatMap((name): PhasePlan[] => {
      const stage = meter.stage(name);
      return stage === undefined ? [] : [{ name, peakBytes: stage.peakBytes - weightBytes, flops: stage.flops }];
    });
    const parts = partPlans(model.parameters);
    chat.dispose();
    return finish({
      kind: 'inference',
      source: checkpoint,
      tokens: { ...visual, text: sample.ids.length - sample.numVisual, total: sample.ids.length, limit: contextLength },
      parts,
      phases,
      memory: {
        weightBytes,
        kvCacheBytes: (prefill?.after ?? 0) - (prefill?.before ?? 0),
        deviceBytes: meter.residentBytes,
        processBytes: outside,
      },
    });
  }).then((plan) => withSpeed(plan, options));
}
