import { describe, expect, it } from 'vitest';
import { flatten } from '../../src/base/flatten.js';
import { RunConfigSchema } from '../../src/train/config.js';
import { checkDrift } from '../../src/train/config-drift.js';

const config = RunConfigSchema.parse({ train: { learningRate: 1e-3 } });

describe('checkDrift', () => {
  it('accepts the same settings, and others that decide nothing', () => {
    const saved = { ...flatten(config), out: 'elsewhere', 'train.saveEverySteps': 7 };
    expect(() => checkDrift(saved, config)).not.toThrow();
  });

  it('takes the default for a key that the save did not know yet', () => {
    const { 'train.packing': packing, ...older } = flatten(config);
    expect(packing).toBe(false);
    expect(() => checkDrift(older, config)).not.toThrow();
    const packed = RunConfigSchema.parse({ train: { learningRate: 1e-3, packing: true } });
    expect(() => checkDrift(older, packed)).toThrow('train.packing: false when saved, true now');
  });

  it('lists every key that differs', () => {
    const saved = { ...flatten(config), seed: 4, 'train.learningRate': 2e-3 };
    expect(() => checkDrift(saved, config)).toThrow(
      /seed: 4 when saved, 0 now\n {2}train\.learningRate: 0\.002 when saved, 0\.001 now/,
    );
  });
});
