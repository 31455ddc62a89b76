/**
 * Checkpoints of a run, one folder each:
 *
 *   step-00001200/model.safetensors   trained weights by parameter name
 *   step-00001200/optimizer.msgpack   records {name, step, m, v}, one a parameter; layout in checkpoint/records.ts
 *   step-00001200/state.msgpack       the training loop's state, one value
 *   step-00001200/config.yaml         the resolved run configuration
 *   step-00001200/...                 copied files, such as tokenizer.json
 *   step-00001200/MANIFEST.json       size and SHA-256 of the others
 *   best -> step-00000800             link to the best one
 *   .tmp-...                          a save or removal under way, or cut short
 *
 * They hold no executable format (no pickle) and nothing that depends on the number of processes.
 */
export { markBest } from './checkpoint/best.js';
export { findLatestCheckpoint, type LatestCheckpoint } from './checkpoint/find-latest.js';
export { type LoadedCheckpoint, loadCheckpoint } from './checkpoint/load.js';
export { loadLatestCheckpoint } from './checkpoint/load-latest.js';
export { type CheckpointContents, type SavedCheckpoint, saveCheckpoint } from './checkpoint/save.js';
