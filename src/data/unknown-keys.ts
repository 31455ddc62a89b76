import { isRecord } from '../base/config-layer.js';
import { nearest } from '../base/nearest.js';

export interface UnknownKey {
  /** Dotted, list positions as []: equal for every row. */
  readonly key: string;
  readonly message: string;
}

/** Keys of `value` that the JSON Schema does not name; objects with free keys are passed over. */
export function unknownKeys(value: unknown, jsonSchema: unknown, path = ''): UnknownKey[] {
  if (!isRecord(jsonSchema)) return [];
  if (Array.isArray(value)) return value.flatMap((item) => unknownKeys(item, jsonSchema['items'], `${path}[]`));
  const properties = propertiesOf(jsonSchema);
  if (!isRecord(value) || properties === undefined) return [];
  const found: UnknownKey[] = [];
  for (const [name, item] of Object.entries(value)) {
    const key = path === '' ? name : `${path}.${name}`;
    if (Object.hasOwn(properties, name)) {
      if (typeof item === 'object') found.push(...unknownKeys(item, properties[name], key));
      continue;
    }
    const guess = nearest(name, Object.keys(properties));
    const suggestion = guess === undefined ? '' : `, did you mean "${guess}"?`;
    found.push({ key, message: `${key}: unknown key, ignored${suggestion}` });
  }
  return found;
}

/** Named properties; those of all branches of a union. */
function propertiesOf(jsonSchema: Record<string, unknown>): Record<string, unknown> | undefined {
  const branches = jsonSchema['oneOf'] ?? jsonSchema['anyOf'];
  if (Array.isArray(branches)) {
    const found = branches.map((branch: unknown) => (isRecord(branch) ? propertiesOf(branch) : undefined));
    return found.some((properties) => properties === undefined) ? undefined : Object.assign({}, ...found);
  }
  return isRecord(jsonSchema['properties']) ? jsonSchema['properties'] : undefined;
}
