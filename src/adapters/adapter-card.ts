/** The README.md of an exported adapter: a model card as the Hub reads it. */
import type { PeftLayout } from './lora-names.js';

export interface AdapterCard {
  readonly layout: PeftLayout;
  readonly baseModel?: string | undefined;
  readonly rank: number;
  readonly alpha: number;
  /** Trained tensors that PEFT does not load. */
  readonly modules: readonly string[];
  readonly modulesFile: string;
}

const TREES: Readonly<Record<PeftLayout, { readonly what: string; readonly code: string }>> = {
  lm: {
    what: 'the bare language model (`model.language_model` of InternVLChatModel)',
    code: 'model.language_model = PeftModel.from_pretrained(model.language_model, "this folder")',
  },
  whole: {
    what: 'the whole InternVLChatModel, in the names of the OpenGVLab checkpoints',
    code: 'model = PeftModel.from_pretrained(model, "this folder")',
  },
  hf: {
    what: 'InternVLForConditionalGeneration, in the names of transformers',
    code: 'model = PeftModel.from_pretrained(model, "this folder")',
  },
};

export function adapterCard(card: AdapterCard): string {
  const { what, code } = TREES[card.layout];
  const base = card.baseModel ?? 'the base model';
  const front = [
    ...(card.baseModel === undefined ? [] : [`base_model: ${card.baseModel}`]),
    'library_name: peft',
    'pipeline_tag: video-text-to-text',
    'tags: [lora, mimic-chat]',
  ];
  const groups = [...new Set(card.modules.map((name) => name.split('.')[0] ?? name))];
  const beside =
    card.modules.length === 0
      ? ['Nothing else was trained: the adapter is all there is.']
      : [
          `PEFT loads the LoRA matrices alone. The ${card.modules.length} other tensors that were trained (${groups.join(', ')}) are in`,
          `\`${card.modulesFile}\`; without them the video branch of MIMIC-Chat does not exist.`,
          '`mimic weights import-peft` reads both.',
        ];
  return `---
${front.join('\n')}
---

# LoRA adapter of MIMIC-Chat

Rank ${card.rank}, alpha ${card.alpha}, on the language model of ${base}. Its names are those of ${what}.

\`\`\`python
from peft import PeftModel
${code}
\`\`\`

\`\`\`sh
mimic weights import-peft --adapter . --base BASE --out model
\`\`\`

## What is beside it

${beside.join('\n')}
\`input.json\` says which tokenizer, prompt and preprocessing the adapter was trained with.
`;
}
