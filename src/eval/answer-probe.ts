import { promptText } from '../data/tasks/wording.js';
import { SamplingSchema } from '../data/video/sampling.js';
import { MimicChat } from '../infer/mimic-chat.js';
import type { AnswerProbe } from '../train/report/probe.js';

/** Enough to see what a comment is about. */
const COMMENT_TOKENS = 32;

/** A model in training answers as it would when it is done: dropout is off, and of the words the likeliest is taken. */
export const answerProbe: AnswerProbe = async ({ question, features, model, tokenizer, prompt, maxLength }) => {
  const { imageSize: size, numFrames } = model.config.spatial;
  const contextLength = Math.min(maxLength, model.config.language.maxPositions);
  // Features are made: nothing is sampled.
  const sampling = SamplingSchema.parse({ size, numFrames });
  const chat = new MimicChat({ model, tokenizer, prompt, sampling, contextLength });
  const session = prompt.layout === 'none' ? chat.textOnly() : await chat.session(features);
  try {
    const { length } = question.options;
    const probabilities = await session.letterProbabilities(promptText(question, prompt.wording), length);
    let comment = '';
    for await (const piece of session.comment({ temperature: 0, maxTokens: COMMENT_TOKENS })) comment += piece;
    return { probabilities, comment };
  } finally {
    session.dispose();
  }
};
