/** The ops that models are built from. Importing this module registers all gradients, of stock kernels and of ours. */
export { type AdamWOptions, type AdamWTensors, adamW } from './adam-w.js';
export { adaptiveAvgPool3d } from './adaptive-avg-pool3d.js';
export { type AttentionOptions, attention } from './attention.js';
export { type DropoutOptions, dropout } from './dropout.js';
export { type GateWeights, gatedFusion } from './gated-fusion.js';
export { gatherRows } from './gather-rows.js';
export { gelu } from './gelu.js';
export { globalNorm } from './global-norm.js';
export { layerNorm } from './layer-norm.js';
export { linear } from './linear.js';
export { IGNORED_LABEL, type LinearCrossEntropyOptions, linearCrossEntropy } from './linear-cross-entropy.js';
export { type LoraWeights, loraLinear } from './lora-linear.js';
export { rmsNorm } from './rms-norm.js';
export { rope } from './rope.js';
export { swiGlu } from './swi-glu.js';
