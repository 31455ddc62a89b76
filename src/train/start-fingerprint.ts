import { sha256 } from '../base/hash.js';
import type { Run } from './prepare-run.js';

/** Bits of a hash that a float64 holds. */
const HASH_DIGITS = 13;

const leading = (hash: string) => Number.parseInt(hash.slice(0, HASH_DIGITS), 16);

function number(text: string | Uint8Array): number {
  return leading(sha256(text));
}

/** What has to be the same on all ranks for their gradients to be of one model, as numbers by what they stand for. */
export function startFingerprint({ config, model, data, state, totalSteps }: Run): Record<string, number> {
  const { seed, video, prompt, train } = config;
  const trained = model.parameters.trainable();
  const values = trained.map(({ name, shape, value }) => {
    return `${name} ${shape.join('x')} ${sha256(new Uint8Array(Float32Array.from(value.dataSync()).buffer))}`;
  });
  return {
    'step to start from': state.step,
    'number of steps': totalSteps,
    configuration: number(JSON.stringify({ seed, video, prompt, train, model: config.model })),
    records: leading(data.idsSha256),
    'trained weights': number(values.join('\n')),
  };
}
