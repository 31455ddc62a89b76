import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Manifest, verifyCheckpointFiles } from '../../model/weights/manifest.js';
import type { ParameterMoments } from '../optimizer.js';
import { contentError, decodeValue, readRecords } from './records.js';
import { FILES } from './save.js';

const MomentsSchema = z.strictObject({
  name: z.string(),
  step: z.int().nonnegative(),
  m: z.instanceof(Float32Array),
  v: z.instanceof(Float32Array),
});

export interface LoadedCheckpoint {
  readonly step: number;
  readonly manifest: Manifest;
  /** For openSafetensors; its bytes were verified. */
  readonly weightsPath: string;
  readonly optimizer: readonly ParameterMoments[];
  readonly state: unknown;
  readonly configYaml: string;
}

/**
 * Reads a checkpoint after every file was compared with the manifest: nothing is returned from a damaged one.
 *
 * @param path a step's folder, or `best`
 * @throws CheckpointError naming the file and its expected SHA-256
 */
export async function loadCheckpoint(path: string): Promise<LoadedCheckpoint> {
  const manifest = await verifyCheckpointFiles(path);
  const missing = Object.values(FILES).filter((name) => !manifest.files.some((file) => file.name === name));
  if (missing.length > 0) throw contentError(path, `its manifest does not list ${missing.join(', ')}`);
  const optimizer: ParameterMoments[] = [];
  const optimizerPath = join(path, FILES.optimizer);
  for await (const record of readRecords(optimizerPath)) {
    const parsed = MomentsSchema.safeParse(record);
    if (!parsed.success)
      throw contentError(optimizerPath, `record ${optimizer.length}: ${z.prettifyError(parsed.error)}`);
    optimizer.push(parsed.data);
  }
  const statePath = join(path, FILES.state);
  return {
    step: manifest.step,
    manifest,
    weightsPath: join(path, FILES.weights),
    optimizer,
    state: decodeValue(statePath, await readFile(statePath)),
    configYaml: await readFile(join(path, FILES.config), 'utf8'),
  };
}
