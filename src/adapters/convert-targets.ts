/** Names and configuration that weights are converted to. */
export const CONVERT_TARGETS = ['opengvlab', 'hf', 'mimic'] as const;
export type ConvertTarget = (typeof CONVERT_TARGETS)[number];
