/** What `mimic plan` says, as it is written with --json: bytes, counts, seconds. */
import type { Precision } from '../backend/device-option.js';
import type { Part } from '../model/parameters.js';

export interface TokenPlan {
  readonly spatial: number;
  readonly temporal: number;
  /** Template, labels and question; of a training sample all that `train.maxLength` leaves. */
  readonly text: number;
  readonly total: number;
  /** Most tokens in a sequence. */
  readonly limit: number;
}

export interface PartPlan {
  readonly part: Part;
  readonly parameters: number;
  readonly trained: number;
  readonly bytes: number;
}

/** One stage of the work, in the order of execution. */
export interface PhasePlan {
  readonly name: string;
  /** Most memory in use beside the weights. */
  readonly peakBytes: number;
  /** Multiply-adds of matrix products and attention, times two. */
  readonly flops: number;
  /** At the speed that was measured; absent when none was. */
  readonly seconds?: number;
}

export interface MemoryPlan {
  readonly weightBytes: number;
  /** Keys and values of one video's prompt, with the room that they grow into. */
  readonly kvCacheBytes?: number;
  /** Gradients of what is trained. */
  readonly gradientBytes?: number;
  readonly optimizerBytes?: number;
  /** Frozen features of videos seen before: the budget that the configuration gives them. */
  readonly featureCacheBytes?: number;
  /** Most that device memory holds: all of the above, activations, and what is kept for reuse. */
  readonly deviceBytes: number;
  /** Everything outside device memory: the program, its libraries, the tokenizer and decoded frames. */
  readonly processBytes: number;
  /** What must fit: on the processor both lie in one memory; on a GPU device memory alone. */
  readonly totalBytes: number;
  /** Memory of the machine or GPU; absent when it is not known here. */
  readonly availableBytes?: number;
}

export interface TrainingPlan {
  readonly videosPerStep: number;
  readonly gradientCheckpointing: boolean;
  /** Device memory when gradient checkpointing is switched the other way. */
  readonly otherwiseDeviceBytes: number;
  /** Absent when neither train.maxSteps nor the records say it. */
  readonly steps?: number;
  /** Frames of a new video are encoded in the first epoch only, as far as the feature cache holds them. */
  readonly secondsPerStep?: number;
}

export interface Plan {
  readonly kind: 'training' | 'inference';
  /** The configuration file or checkpoint. */
  readonly source: string;
  readonly precision: Precision;
  readonly device: 'cpu' | 'cuda';
  readonly tokens: TokenPlan;
  readonly parts: readonly PartPlan[];
  readonly phases: readonly PhasePlan[];
  readonly memory: MemoryPlan;
  readonly training?: TrainingPlan;
  /** FLOP/s of a large matrix product, measured now. */
  readonly flopsPerSec?: number;
  /** Tokens and memory fit; memory of unknown size counts as enough. */
  readonly fits: boolean;
}
