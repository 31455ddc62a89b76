import type { LoraConfig } from '../config.js';
import type { LanguageFamily, LoraTarget } from '../language-family.js';
import { loraTargets } from '../language-family.js';
import { LoraLinear } from '../layers.js';
import type { Scope } from '../parameters.js';

/** Declares the linear `name` of a block below `scope`, with an adapter where `lora.targets` says so. */
export type LinearFactory = (
  scope: Scope,
  name: LoraTarget,
  inputs: number,
  outputs: number,
  options?: { readonly bias: boolean },
) => LoraLinear;

/** @param lora null switches the adapters off */
export function linearFactory(family: LanguageFamily, lora: LoraConfig | null): LinearFactory {
  const targets = lora === null ? [] : loraTargets(family, lora.targets);
  return (scope, name, inputs, outputs, { bias } = { bias: false }) =>
    new LoraLinear(scope.child(name), inputs, outputs, targets.includes(name) ? lora : null, { bias });
}
