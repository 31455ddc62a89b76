import { describe, expect, it } from 'vitest';
import { configSha256, planConfig, planRun } from '../../src/ablation/plan-runs.js';
import { DEFAULT_VARIANTS, parseVariants, VARIANTS } from '../../src/ablation/variants.js';
import { packageRoot } from '../../src/base/package-root.js';

const source = { file: `${packageRoot()}/configs/ablation.yaml`, overrides: ['--train.maxSteps=7'], quick: false };

function flat(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, inner]) => flat(inner, path === '' ? key : `${path}.${key}`));
}

describe('the runs of an ablation', () => {
  it('differ from the full model in what their row says and in nothing else', async () => {
    const place = { out: 'x', base: { name: '4', overrides: ['--base=b4'] }, seed: 2 };
    const full = new Map(flat(await planRun(source, { ...place, variant: 'full' })));
    expect(full.get('train.maxSteps')).toBe('7');
    expect(full.get('out')).toBe('"x/runs/base-4/seed-2"');
    const changes: Record<string, string[]> = {};
    for (const variant of VARIANTS) {
      const own = flat(await planRun(source, { ...place, variant }));
      const other = own.filter(([key, value]) => key !== 'name' && full.get(key) !== value);
      changes[variant] = other.map(([key, value]) => `${key} ${value}`);
    }
    expect(changes).toEqual({
      full: [],
      'no-lora': ['model.ablate "no-lora"'],
      'no-temporal-encoder': ['model.ablate "no-temporal-encoder"'],
      'no-temporal-projector': ['model.ablate "no-temporal-projector"'],
      'no-spatial-projector': ['model.ablate "no-spatial-projector"'],
      'fresh-spatial-projector': ['train.reinitialize ["spatial projector"]'],
      'text-only': ['prompt.layout "none"'],
      'shared-projector-fresh': ['model.ablate "no-temporal-projector"', 'train.reinitialize ["spatial projector"]'],
    });
  });

  it('are known by their settings, not by where they lie', async () => {
    const at = (out: string, name: string, seed: number) =>
      planRun(source, {
        out,
        base: { name, overrides: [`--base=${name}`, `--data.train=${name}.jsonl`] },
        seed,
        variant: 'full',
      });
    const first = configSha256(await at('x', 'a', 1));
    expect(configSha256(await at('y', 'b', 1))).toBe(first);
    expect(configSha256(await at('x', 'a', 2))).not.toBe(first);
  });

  it('need a model that sees', async () => {
    await expect(planConfig({ ...source, overrides: ['--prompt.layout=none'] })).rejects.toMatchObject({
      code: 'E_ABLATION_CONFIG',
    });
  });

  it('are named in the order of the table, the full model among them', () => {
    expect(parseVariants(['text-only', 'full', 'text-only'])).toEqual(['full', 'text-only']);
    expect(DEFAULT_VARIANTS).toHaveLength(7);
    expect(() => parseVariants(['full', 'no-lara'])).toThrow('did you mean no-lora?');
    expect(() => parseVariants(['no-lora'])).toThrow('full among them');
  });
});
