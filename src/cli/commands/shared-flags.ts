/** Flags that several commands share, so that they read and behave the same. */
import { PRECISIONS, parseDevice } from '../../backend/device-option.js';
import type { BackendName } from '../../backend/select.js';
import type { Flags } from '../command.js';

/** Not the ones for tests and dry runs. A list of its own: loading the backends would slow down --help. */
const BACKENDS = ['native', 'wasm', 'tfjs-node', 'tfjs-node-gpu'] as const satisfies readonly BackendName[];

export const BACKEND_FLAGS = {
  backend: {
    type: 'string',
    choices: BACKENDS,
    describe: 'what computes; without it the best one found is taken, and the reason printed',
  },
  device: {
    type: 'string',
    check: parseDevice,
    describe: 'cpu, cuda, cuda:N (the GPU of that number) or auto: a GPU if one works',
  },
  precision: {
    type: 'string',
    choices: PRECISIONS,
    describe: 'storage of frozen weights and activations; without it bf16 on a GPU and fp32 on a CPU',
  },
  threads: { type: 'number', integer: true, min: 1, describe: 'CPU threads; without it all cores' },
} as const satisfies Flags;

export const CHECKPOINT_FLAG = {
  checkpoint: {
    type: 'string',
    demandOption: true,
    describe: 'folder of a trained model, such as checkpoints/run/best',
  },
} as const satisfies Flags;

export const VIDEO_FLAG = {
  video: { type: 'string', demandOption: true, describe: 'video file' },
} as const satisfies Flags;

export const OUT_FOLDER_FLAG = {
  out: { type: 'string', demandOption: true, describe: 'folder to write; new or empty' },
} as const satisfies Flags;

export const JSON_FLAG = {
  json: { type: 'boolean', default: false, describe: 'prints the result as JSON on stdout' },
} as const satisfies Flags;

export const SEED_FLAG = {
  seed: { type: 'number', integer: true, min: 0, max: 2 ** 32 - 1, default: 0, describe: 'same seed, same result' },
} as const satisfies Flags;

export const CONFIG_FLAG = {
  config: {
    type: 'string',
    alias: 'c',
    demandOption: true,
    describe: 'YAML file of settings, such as configs/mimic-chat-8b.yaml',
  },
} as const satisfies Flags;
