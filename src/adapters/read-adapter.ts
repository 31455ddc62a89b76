/**
 * An adapter's tensors sorted out: which linear of ours each LoRA pair is for, and what else it brings. Three layouts are
 * read: PEFT on the language model, PEFT on a whole model (OpenGVLab's or -hf), and LoRA kept inside a model's own file.
 */
import { CheckpointError } from '../base/errors.js';
import { nearest } from '../base/nearest.js';
import { plainNames } from '../model/checkpoints/plain-names.js';
import type { LanguageConfig } from '../model/config.js';
import type { ParameterStore } from '../model/parameters.js';
import type { SourceTensor, WeightSource } from '../model/weights/source.js';
import { ownLinear, type Rows } from './lora-names.js';

/** One pair of matrices; several are for one linear of ours where Python's model has q, k and v apart. */
export interface LoraPair {
  /** Module in the adapter's own naming: what rank_pattern and alpha_pattern match. */
  readonly module: string;
  readonly linear: string;
  /** Rows of our linear that B covers; undefined for all. */
  readonly rows: readonly Rows[] | undefined;
  /** Tensor names. */
  readonly a: string;
  readonly b: string;
  readonly rank: number;
}

export interface AdapterTensors {
  readonly pairs: readonly LoraPair[];
  /** Whole tensors that replace those of the base: our name -> the adapter's. */
  readonly modules: ReadonlyMap<string, string>;
}

const LORA = /^(.+)\.lora_([AB])(?:\.[\w-]+)?\.weight$/;
/** Before PEFT's prefix is dropped nothing may stand; InternVL's own wrapping has it further inside. */
const PEFT_PREFIX = /^base_model\.model\.(?!model\.layers\.\d+\..*\.base_layer\.)/;

/**
 * @param store of the model without LoRA
 * @throws CheckpointError E_ADAPTER_MISMATCH listing every tensor that has no place, half a pair, or another shape
 */
export function sortAdapter(source: WeightSource, store: ParameterStore, language: LanguageConfig): AdapterTensors {
  const problems: string[] = [];
  const isInModel = plainNames(source.tensors).wrapping === 'in-model LoRA';
  const halves = new Map<string, { A?: SourceTensor; B?: SourceTensor }>();
  const modules = new Map<string, string>();
  for (const tensor of source.tensors.values()) {
    const name = tensor.name.replace(PEFT_PREFIX, '');
    const [, module, matrix] = LORA.exec(name) ?? [];
    if (module !== undefined) halves.set(module, { ...halves.get(module), [matrix === 'A' ? 'A' : 'B']: tensor });
    else if (!isInModel || !isOfBase(name, store)) addModule(tensor, name, store, modules, problems);
  }
  const pairs: LoraPair[] = [];
  for (const [module, { A, B }] of halves) {
    const own = ownLinear(module, (name) => store.get(`${name}.weight`) !== undefined, language);
    if (own === undefined) problems.push(`${module}: ${noPlace(module, store)}`);
    else if (A === undefined || B === undefined)
      problems.push(`${module}: lora_${A === undefined ? 'A' : 'B'} is absent`);
    else {
      const reason = shapeProblem(A, B, own, store.get(`${own.linear}.weight`)?.shape ?? []);
      if (reason === undefined) pairs.push({ module, ...own, a: A.name, b: B.name, rank: A.shape[0] ?? 0 });
      else problems.push(`${module}: ${reason}`);
    }
  }
  if (pairs.length === 0 && problems.length === 0) problems.push('no lora_A and lora_B in the file');
  if (problems.length > 0) {
    const shown = problems.slice(0, 20);
    if (shown.length < problems.length) shown.push(`... and ${problems.length - shown.length} more`);
    throw new CheckpointError(
      'E_ADAPTER_MISMATCH',
      `${source.path}: ${problems.length} tensors do not fit the base:\n  ${shown.join('\n  ')}`,
      {
        hint: 'Give the base it was trained on; LoRA on a vision tower has to be merged into the base with PEFT first.',
      },
    );
  }
  return { pairs, modules };
}

/** Encoders and language model are the base's, also where a whole model was saved with its LoRA. */
function isOfBase(name: string, store: ParameterStore): boolean {
  const part = store.get(name)?.part;
  return part === undefined || part === 'language model' || part.endsWith('encoder');
}

/** A tensor of modules_to_save, or a projector of the model that in-model LoRA was saved with. */
function addModule(
  tensor: SourceTensor,
  name: string,
  store: ParameterStore,
  modules: Map<string, string>,
  problems: string[],
): void {
  const plain = name.replace(/\.modules_to_save\.[\w-]+/, '').replaceAll('base_model.model.', '');
  const own = [plain, `language_model.${plain}`].find((candidate) => store.get(candidate) !== undefined);
  const parameter = own === undefined ? undefined : store.get(own);
  if (own === undefined || parameter === undefined) problems.push(`${tensor.name}: ${noPlace(plain, store)}`);
  else if (parameter.shape.join() !== tensor.shape.join()) {
    problems.push(`${tensor.name}: shape [${tensor.shape}], the base has [${parameter.shape}]`);
  } else modules.set(own, tensor.name);
}

function noPlace(name: string, store: ParameterStore): string {
  const close = nearest(
    name,
    store.list().map((parameter) => parameter.name.replace(/\.weight$/, '')),
  );
  return `no such linear in the language model${close === undefined ? '' : `, nearest ${close}`}`;
}

function shapeProblem(
  A: SourceTensor,
  B: SourceTensor,
  { rows }: { readonly rows: readonly Rows[] | undefined },
  weight: readonly number[],
): string | undefined {
  const [outputs, inputs] = [rows?.reduce((sum, { count }) => sum + count, 0) ?? weight[0], weight[1]];
  const [rank] = A.shape;
  const fits = A.shape.join() === [rank, inputs].join() && B.shape.join() === [outputs, rank].join();
  return fits
    ? undefined
    : `A is [${A.shape}] and B [${B.shape}], the base's linear takes [r,${inputs}] and [${outputs},r]`;
}
