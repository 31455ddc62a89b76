import type { MimicChatModel } from '../model/mimic-chat.js';
import type { Part } from '../model/parameters.js';

/** Parts whose weights came from a file, and which did not: a frozen part without pretrained weights deserves a warning. */
export interface TableOptions {
  readonly freshFrozenParts?: readonly string[];
}

/** What is trained: a line a part with its parameters and whether it is frozen, LoRA or trained in full. */
export function startupTable(model: MimicChatModel, options: TableOptions = {}): string {
  const rows = model.parameters.countByPart();
  const total = rows.reduce((sum, row) => sum + row.total, 0);
  const trained = rows.reduce((sum, row) => sum + row.trainable, 0);
  const lines = rows.map((row) => {
    const note = options.freshFrozenParts?.includes(row.part) ? '  no pretrained weights: random and frozen' : '';
    return `  ${row.part.padEnd(20)}${grouped(row.total).padStart(16)}  ${modeOf(row)}${note}`;
  });
  const share = ((100 * trained) / total).toFixed(trained * 100 < total ? 2 : 1);
  return [
    `  ${'part'.padEnd(20)}${'parameters'.padStart(16)}  training`,
    ...lines,
    `  ${'total'.padEnd(20)}${grouped(total).padStart(16)}  ${grouped(trained)} trained (${share} %)`,
  ].join('\n');
}

function modeOf({ part, trainable }: { part: Part; trainable: number }): string {
  if (trainable === 0) return 'frozen';
  return part === 'lora' ? 'LoRA' : 'full';
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
