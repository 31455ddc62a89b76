import { CheckpointError } from '../../../base/errors.js';
import { clipped, kindOf, PickleDict, type PickleValue, TensorRef } from './pickle-values.js';

export interface StateDict {
  readonly tensors: ReadonlyMap<string, TensorRef>;
  readonly notes: readonly string[];
}

/** Where training scripts put the weights beside optimizer and epoch: FAIR's `model_state`, Lightning's and others' names. */
const NESTED_KEYS = ['model_state', 'state_dict', 'model_state_dict', 'model', 'module'];
const SHOWN = 5;

/**
 * The dict of tensors in what a pickle held: the outermost one, or the first under one of the usual keys.
 *
 * @returns its tensors by name; other values are passed over and named in a note
 * @throws CheckpointError E_TORCH_NO_TENSORS
 */
export function findStateDict(path: string, root: PickleValue): StateDict {
  const found = hasTensors(root) ? root : nested(root);
  if (found === undefined) {
    const keys =
      root instanceof PickleDict
        ? ` with keys ${shown([...root.entries.keys()].map((key) => clipped(String(key))))}`
        : '';
    throw new CheckpointError('E_TORCH_NO_TENSORS', `${path}: it holds a ${kindOf(root)}${keys}, no dict of tensors.`, {
      hint: `Weights are expected at the top or under ${NESTED_KEYS.join(', ')}.`,
    });
  }
  const tensors = new Map<string, TensorRef>();
  const passedOver: string[] = [];
  for (const [key, value] of found.entries) {
    if (typeof key === 'string' && value instanceof TensorRef) tensors.set(key, value);
    else passedOver.push(`${clipped(String(key))} (${kindOf(value)})`);
  }
  if (passedOver.length === 0) return { tensors, notes: [] };
  const note = `${path}: ${passedOver.length} values beside the tensors were passed over: ${shown(passedOver)}.`;
  return { tensors, notes: [note] };
}

function nested(root: PickleValue): PickleDict | undefined {
  if (!(root instanceof PickleDict)) return undefined;
  for (const key of NESTED_KEYS) {
    const value = root.entries.get(key);
    if (value !== undefined && hasTensors(value)) return value;
  }
  return undefined;
}

function hasTensors(value: PickleValue): value is PickleDict {
  if (!(value instanceof PickleDict)) return false;
  for (const [key, item] of value.entries) if (typeof key === 'string' && item instanceof TensorRef) return true;
  return false;
}

function shown(names: readonly string[]): string {
  const more = names.length > SHOWN ? `, ... (${names.length})` : '';
  return names.slice(0, SHOWN).join(', ') + more;
}
