import type { MimicChatModel } from '../model/mimic-chat.js';
import type { Part } from '../model/parameters.js';

/** Parts whose weights came from a file, and which did not: a frozen part without pretrained weights deserves a warning. */
export interface TableOptions {
  readonly freshFrozenParts?: readonly string[];
  /** prompt.layout: some read not all parts. */
  readonly layout?: 'paper' | 'internvl' | 'none' | undefined;
}

export interface PartRow {
  readonly part: Part;
  readonly parameters: number;
  readonly training: 'frozen' | 'LoRA' | 'full' | 'unused';
  readonly note: string;
}

const VISION = [
  'spatial encoder',
  'temporal encoder',
  'spatial projector',
  'temporal projector',
  'gated fusion',
  'positions',
];

/** Parts that a prompt without their tokens never reads: they get no gradient, whatever train.parts says. */
function isUnread(part: Part, layout: TableOptions['layout'] = 'paper'): boolean {
  if (layout === 'paper') return false;
  return part === 'special tokens' || (layout === 'none' && VISION.includes(part));
}

/** What becomes of each part. LoRA has its own row; the language model under it is frozen. */
export function startupRows(model: MimicChatModel, { freshFrozenParts = [], layout }: TableOptions = {}): PartRow[] {
  return model.parameters.countByPart().map(({ part, total, trainable }) => {
    const row = { part, parameters: total };
    if (isUnread(part, layout))
      return { ...row, training: 'unused', note: `no gradient: prompt.layout ${layout} does not read it` };
    const note = freshFrozenParts.includes(part) ? 'no pretrained weights: random and frozen' : '';
    return { ...row, training: trainable === 0 ? 'frozen' : part === 'lora' ? 'LoRA' : 'full', note };
  });
}

type Counted = Pick<PartRow, 'parameters' | 'training'>;

/** Parameters in all, those trained, and their share. */
export function startupTotals(rows: readonly Counted[]): { total: number; trained: number; share: string } {
  const sum = (some: readonly Counted[]) => some.reduce((all, { parameters }) => all + parameters, 0);
  const total = sum(rows);
  const trained = sum(rows.filter(({ training }) => training === 'LoRA' || training === 'full'));
  return { total, trained, share: `${((100 * trained) / total).toFixed(trained * 100 < total ? 2 : 1)} %` };
}

/** What is trained: a line a part with its parameters and whether it is frozen, LoRA or trained in full. */
export function startupTable(model: MimicChatModel, options: TableOptions = {}): string {
  const rows = startupRows(model, options);
  const { total, trained, share } = startupTotals(rows);
  const lines = rows.map(({ part, parameters, training, note }) =>
    `  ${part.padEnd(20)}${grouped(parameters).padStart(16)}  ${training.padEnd(6)}  ${note}`.trimEnd(),
  );
  return [
    `  ${'part'.padEnd(20)}${'parameters'.padStart(16)}  training`,
    ...lines,
    `  ${'total'.padEnd(20)}${grouped(total).padStart(16)}  ${grouped(trained)} trained (${share})`,
  ].join('\n');
}

/** 1234567 -> 1,234,567 */
export function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
