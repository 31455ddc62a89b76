/** Which layout a file has, from the names of its tensors alone, with the name that decided. */
import { CheckpointError } from '../../base/errors.js';
import { PARTS } from '../parameters.js';
import { internvlHfLayout } from './internvl-hf-layout.js';
import { type Heads, type Layout, WHOLE_INTERNVL } from './layout.js';
import { timesformerFbLayout, timesformerHfLayout } from './timesformer-layout.js';

export interface DetectedLayout {
  readonly layout: Layout;
  /** For a person: what it is, and the name that showed it. */
  readonly reason: string;
}

const OURS_ALONE =
  /^(?:temporal_mlp1|fusion|visual_positions|special_tokens|spatial_width_adapter|temporal_width_adapter)\./;

/** Our own names, for folders that say they are ours. */
const own: Layout = { id: 'own', parts: new Set(PARTS), locate: (name) => [{ name }] };
const internvl: Layout = { ...own, id: 'internvl', parts: WHOLE_INTERNVL };

export const OWN: DetectedLayout = { layout: own, reason: "MIMIC-Chat's own names" };

interface Rule {
  readonly pattern: RegExp;
  readonly what: string;
  /** Names that must be absent: files of ours hold encoders under the same names. */
  readonly unless?: RegExp;
  layout(heads: Heads): Layout;
}

/** The first that matches a name is it. */
const RULES: readonly Rule[] = [
  { pattern: OURS_ALONE, what: "MIMIC-Chat's own names", layout: () => own },
  {
    pattern: /^model\.(?:vision_tower|multi_modal_projector|language_model)\./,
    what: 'InternVL -hf, prefixes of transformers since 4.52',
    layout: (heads) => internvlHfLayout('new', heads),
  },
  {
    pattern: /^(?:vision_tower|multi_modal_projector)\./,
    what: 'InternVL -hf, older prefixes',
    layout: (heads) => internvlHfLayout('old', heads),
  },
  {
    pattern: /^model\.(?:blocks\.\d+\.|patch_embed\.|cls_token$|pos_embed$|time_embed$)/,
    what: "TimeSformer, Facebook's names behind model.",
    layout: () => timesformerFbLayout('model.'),
  },
  {
    pattern: /^(?:blocks\.\d+\.|patch_embed\.|cls_token$|pos_embed$|time_embed$)/,
    what: "TimeSformer, Facebook's names",
    layout: () => timesformerFbLayout(''),
  },
  {
    pattern: /^timesformer\./,
    unless: /^(?:vision_model|mlp1|language_model)\./,
    what: "TimeSformer, Hugging Face's names",
    layout: () => timesformerHfLayout('timesformer.'),
  },
  { pattern: /^timesformer\./, what: "MIMIC-Chat's own names", layout: () => own },
  { pattern: /^(?:vision_model|mlp1)\./, what: "InternVL, OpenGVLab's names", layout: () => internvl },
  {
    pattern: /^encoder\.layer\.\d+\.(?:temporal_|attention\.attention\.)/,
    what: "TimeSformer, Hugging Face's names without timesformer.",
    layout: () => timesformerHfLayout(''),
  },
  {
    pattern: /^language_model\.(?:model\.tok_embeddings|model\.layers\.\d+\.(?:attention|feed_forward)|output)\b/,
    what: 'a language model under the names of InternLM2',
    layout: () => internvl,
  },
  {
    pattern: /^language_model\.(?:model\.embed_tokens|model\.layers\.\d+\.(?:self_attn|mlp)|lm_head)\b/,
    what: 'a language model under the names of Llama and Qwen2',
    layout: (heads) => internvlHfLayout('old', heads),
  },
];

/**
 * @param names plain ones, see plain-names.ts
 * @throws CheckpointError E_WEIGHTS_LAYOUT when no name is known
 */
export function detectLayout(path: string, names: Iterable<string>, heads: Heads): DetectedLayout {
  const all = [...names];
  for (const { pattern, unless, what, layout } of RULES) {
    const sign = all.find((name) => pattern.test(name));
    if (sign === undefined || (unless !== undefined && all.some((name) => unless.test(name)))) continue;
    return { layout: layout(heads), reason: `${what} (${sign})` };
  }
  const shown = all.slice(0, 5).join(', ');
  throw new CheckpointError(
    'E_WEIGHTS_LAYOUT',
    `${path}: ${all.length} tensors in no layout that is known${shown === '' ? '' : `: ${shown}${all.length > 5 ? ', ...' : ''}`}.`,
    {
      hint: 'Known are InternVL2.5 (OpenGVLab and -hf), TimeSformer (Hugging Face and Facebook), PEFT adapters on them, and MIMIC-Chat; see docs/checkpoint-names.md.',
    },
  );
}
