/**
 * Undoes what wrapping a model for LoRA does to the names of its tensors, so that a layout sees one spelling.
 *
 * Three wrappings are met: PEFT around the language model alone, PEFT around the whole model, and InternVL's own training
 * script, which wraps sub-models and saves everything (`base_layer`, `lora_A.default`; before peft 0.6 no `base_layer`).
 *
 * @source huggingface/peft src/peft/utils/save_and_load.py; OpenGVLab/InternVL modeling_internvl_chat.py wrap_*_lora
 */
import type { SourceTensor } from '../weights/source.js';

export const WRAPPINGS = ['none', 'in-model LoRA', 'PEFT on the whole model', 'PEFT on the language model'] as const;
export type Wrapping = (typeof WRAPPINGS)[number];

export interface PlainNames {
  readonly wrapping: Wrapping;
  readonly tensors: ReadonlyMap<string, SourceTensor>;
  /** Tensors whose plain name another one has already, with that name. */
  readonly doubles: readonly { readonly name: string; readonly plain: string }[];
  /** Copies that PEFT keeps of modules it trains whole; the trained ones are used. */
  readonly replaced: readonly string[];
}

const PEFT_PREFIX = 'base_model.model.';
/** A language model by itself: the decoder, its norm and embeddings, the head. */
const BARE_LANGUAGE = /^(?:model\.(?:layers|tok_embeddings|embed_tokens|norm)|output|lm_head)\./;

export function plainNames(source: ReadonlyMap<string, SourceTensor>): PlainNames {
  const names = [...source.keys()];
  const isPeft = names.some((name) => name.startsWith(PEFT_PREFIX));
  const unwrapped = names.map((name) => [name, unwrap(name)] as const);
  // `lm_head` alone is also the head of a whole -hf model.
  const isBare = isPeft && unwrapped.every(([, plain]) => BARE_LANGUAGE.test(plain));
  const tensors = new Map<string, SourceTensor>();
  const doubles: { name: string; plain: string }[] = [];
  const replaced: string[] = [];
  let wrapped = false;
  for (const [name, plain] of unwrapped) {
    const tensor = source.get(name);
    if (tensor === undefined) continue;
    wrapped ||= plain !== name;
    const known = isBare ? `language_model.${plain}` : plain;
    if (plain.includes('.original_module.')) replaced.push(name);
    else if (tensors.has(known)) doubles.push({ name, plain: known });
    else tensors.set(known, tensor);
  }
  const wrapping = isBare ? WRAPPINGS[3] : isPeft ? WRAPPINGS[2] : wrapped ? WRAPPINGS[1] : WRAPPINGS[0];
  return { wrapping, tensors, doubles, replaced };
}

function unwrap(name: string): string {
  return name
    .replace(/^base_model\.model\./, '')
    .replace(/^((?:model\.)?(?:language_model|vision_model|vision_tower))\.base_model\.model\./, '$1.')
    .replace(/\.base_layer\.(weight|bias)$/, '.$1')
    .replace(/\.lora_([AB])\.[^.]+\.weight$/, '.lora_$1.weight')
    .replace(/\.modules_to_save\.[^.]+\./, '.');
}
