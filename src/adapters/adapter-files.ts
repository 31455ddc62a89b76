/** Names of the files of an adapter's folder, beside adapter_config.json. */
export const ADAPTER_FILES = {
  weights: 'adapter_model.safetensors',
  /** What is trained beside LoRA, under our names. */
  modules: 'mimic_modules.safetensors',
  /** The model, prompt and video sections that import needs. */
  config: 'mimic_config.yaml',
} as const;
