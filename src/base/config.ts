/**
 * Settings: defaults < what lies beneath < the YAML file that is extended < the YAML file < `--section.key=value`.
 *
 * Every unknown key is refused and every problem is reported at once, so that one run of a command shows all there is
 * to mend. Each value of the result knows where it came from.
 */
import { stringify } from 'yaml';
import { z } from 'zod';
import { type Assignment, type BeneathAssignment, type ConfigPath, fileLayers, flagLayer } from './config-layer.js';
import { describeContradiction, describeProblem } from './config-problem.js';
import { ConfigTree, pathKey } from './config-tree.js';
import { ConfigError } from './errors.js';
import { sha256 } from './hash.js';

export interface ConfigSources {
  /** YAML file, 1.2 core; may say `extends: base.yaml`. */
  readonly file?: string | undefined;
  /** Flags such as '--train.lr=4e-5'; values are YAML scalars or lists. */
  readonly overrides?: readonly string[] | undefined;
  /** Settings that the others lead to, such as those of a folder that they name. @param settings not validated yet */
  readonly beneath?: (settings: Readonly<Record<string, unknown>>) => Promise<readonly BeneathAssignment[]>;
}

export interface LoadedConfig<T> {
  readonly config: T;
  /** 'default', 'file:line', 'flag', or what lies beneath, for each value, by dotted path; a list of scalars is one value. */
  readonly origins: ReadonlyMap<string, string>;
  /** The resolved settings: loading this text again gives the same configuration. */
  readonly yaml: string;
  /** Of `yaml`. */
  readonly sha256: string;
}

function treeOf(assignments: readonly Assignment[]): ConfigTree {
  const tree = new ConfigTree();
  for (const assignment of assignments) tree.assign(assignment);
  return tree;
}

/** The values with their paths: scalars, lists of scalars, empty sections. */
function* leaves(value: unknown, path: ConfigPath = []): Generator<[ConfigPath, unknown]> {
  const children = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  const nested = children.some(([, child]) => typeof child === 'object' && child !== null);
  if (children.length === 0 || (Array.isArray(value) && !nested)) yield [path, value];
  else for (const [key, child] of children) yield* leaves(child, [...path, key]);
}

/** A list of which a flag set one item counts as set by the flag. */
function originOf(tree: ConfigTree, path: ConfigPath, value: unknown): string {
  const items = Array.isArray(value) ? value.map((_, index) => tree.originOf([...path, index])) : [];
  return items.includes('flag') ? 'flag' : (tree.originOf(path) ?? 'default');
}

/**
 * Reads, merges and validates settings.
 *
 * @throws ConfigError E_CONFIG_FILE, E_CONFIG_TOO_LARGE, E_CONFIG_YAML, E_CONFIG_EXTENDS, E_CONFIG_FLAG when a source
 * cannot be read, E_CONFIG_INVALID with one line a problem when the settings do not follow the schema.
 */
export async function loadConfig<Schema extends z.ZodType>(
  schema: Schema,
  sources: ConfigSources,
): Promise<LoadedConfig<z.output<Schema>>> {
  const own = [
    ...(sources.file === undefined ? [] : await fileLayers(sources.file)),
    ...(sources.overrides ?? []).flatMap(flagLayer),
  ];
  const user = treeOf(own);
  const beneath = (await sources.beneath?.(user.root)) ?? [];
  const tree = beneath.length === 0 ? user : treeOf([...beneath, ...own]);
  const contradictions = beneath.flatMap((assignment) => describeContradiction(assignment, user));

  const parsed = schema.safeParse(tree.root);
  if (!parsed.success || contradictions.length > 0) {
    const jsonSchema = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
    const issues = parsed.error?.issues ?? [];
    const problems = [...contradictions, ...issues.flatMap((issue) => describeProblem(issue, tree, jsonSchema))];
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    throw new ConfigError('E_CONFIG_INVALID', `${count} in the configuration\n  ${problems.join('\n  ')}`, {
      context: { problems },
    });
  }
  const yaml = stringify(parsed.data, { version: '1.2', schema: 'core', lineWidth: 120, aliasDuplicateObjects: false });
  const origins = new Map<string, string>();
  for (const [path, value] of leaves(parsed.data)) origins.set(pathKey(path), originOf(tree, path, value));
  return { config: parsed.data, origins, yaml, sha256: sha256(yaml) };
}
