/**
 * A model folder of any kind opened for conversion: its configuration, the parameters it declares, and where the bytes of
 * each lie. Nothing is uploaded to a device.
 */
import { type FolderPlan, planFolder } from '../model/checkpoints/model-folders.js';
import { MimicChatModel } from '../model/mimic-chat.js';
import { ParameterWeights } from './parameter-weights.js';

export interface CheckpointFolder {
  readonly dir: string;
  readonly plan: FolderPlan;
  /** Declares every parameter, holds no memory. */
  readonly model: MimicChatModel;
  readonly weights: ParameterWeights;
  /** Folders that weights come from, the last one wins. */
  readonly dirs: readonly string[];
  /** Whether the folder stands on another one that holds the base. */
  readonly hasBase: boolean;
  close(): Promise<void>;
}

/** @throws CheckpointError as `planFolder`; E_WEIGHTS_MISMATCH with every tensor that does not fit */
export async function openCheckpointFolder(dir: string): Promise<CheckpointFolder> {
  const plan = await planFolder(dir);
  const model = new MimicChatModel(plan.model);
  const weights = await ParameterWeights.of(model, plan.loads);
  const dirs = plan.loads.filter(({ isTemporal }) => isTemporal !== true).map(({ path }) => path);
  return { dir, plan, model, weights, dirs, hasBase: dirs.length > 1, close: () => weights.close() };
}

/** What inference reads of a configuration; paths and training settings stay behind. */
export function inferenceSections({ model, config }: Pick<FolderPlan, 'model' | 'config'>): Record<string, unknown> {
  const train = config['train'];
  const maxLength = typeof train === 'object' && train !== null && 'maxLength' in train ? train.maxLength : undefined;
  const sections = { model, prompt: config['prompt'], video: config['video'] };
  return { ...sections, ...(maxLength === undefined ? {} : { train: { maxLength } }) };
}
