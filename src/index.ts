/** The library: load a checkpoint, watch a video, choose and comment; evaluate and serve. */
export {
  BackendError,
  CheckpointError,
  ConfigError,
  DataError,
  MimicError,
  RequestError,
  ShapeError,
} from './base/errors.js';
export type { ChoiceQuestion, CommentRequest } from './data/tasks/types.js';
export type { Answer, Answerer } from './eval/answers.js';
export { type Comparison, compareRuns } from './eval/compare.js';
export { type EvaluateOptions, evaluateQuestions } from './eval/evaluate.js';
export { type Scores, scoreAnswers } from './eval/score.js';
export type { FinishReason } from './infer/generate.js';
export { MimicChat } from './infer/mimic-chat.js';
export { type ServerInput, serverOptions } from './infer/server/options.js';
export { type ChatServer, createServer } from './infer/server/server.js';
export type { CandidateEvent, Choice, VideoSession, WriteOptions } from './infer/video-session.js';
export type { Frames, VideoFrames } from './model/frames.js';
