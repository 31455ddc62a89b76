import { ConfigError } from '../../base/errors.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { BACKEND_FLAGS, CONFIG_FLAG } from './shared-flags.js';

export const ablate = defineCommand({
  flags: {
    ...CONFIG_FLAG,
    seeds: { type: 'string', default: '1,2,3', describe: 'tuning seeds; a finding needs three runs' },
    bases: {
      type: 'string',
      describe: "seeds of bases to make, each with a corpus of its own, as the demo does; without it the file's base",
    },
    variants: {
      type: 'string',
      describe: 'rows of the table, such as full,no-lora; without it all of the paper and two controls',
    },
    test: { type: 'string', describe: "JSONL records of a third split; needed for the file's own base" },
    out: { type: 'string', default: 'ablation', describe: 'folder for bases, runs and the table' },
    'bases-dir': { type: 'string', describe: 'folder of made bases; without it OUT/bases' },
    resume: {
      type: 'boolean',
      default: false,
      describe: 'goes on: finished runs stay, seeds and variants may be added',
    },
    quick: { type: 'boolean', default: false, describe: 'small corpus, few steps: shows the path, not the scores' },
    ...BACKEND_FLAGS,
  },
  takesOverrides: true,
  examples: [
    ['mimic ablate -c configs/ablation.yaml --bases 0', 'Table 3 on the synthetic corpus, three tuning seeds'],
    [
      'mimic ablate -c configs/ablation.yaml --bases 10,11,12 --seeds 1,2,3 --out ablation --resume',
      'three bases; finished runs of an earlier call stay',
    ],
    [
      'mimic ablate -c my.yaml --test data/test.jsonl --variants full,no-lora,no-temporal-encoder',
      'rows of your own on your own base and videos',
    ],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user, EXIT_CODE.someFailed, EXIT_CODE.interrupted],
  async run({ config, seeds, bases, variants, 'bases-dir': basesDir, ...options }, { overrides }) {
    const { DEFAULT_VARIANTS, parseVariants } = await import('../../ablation/variants.js');
    const chosen = {
      seeds: seedList('seeds', seeds),
      bases: bases === undefined ? undefined : seedList('bases', bases),
      variants: variants === undefined ? DEFAULT_VARIANTS : parseVariants(words(variants)),
    };
    const { runAblation } = await import('../../ablation/run-ablation.js');
    const { failed, interrupted } = await runAblation({
      configFile: config,
      overrides,
      basesDir,
      ...chosen,
      ...options,
    });
    if (interrupted) return EXIT_CODE.interrupted;
    return failed > 0 ? EXIT_CODE.someFailed : EXIT_CODE.done;
  },
});

const words = (list: string): string[] => list.split(',').map((word) => word.trim());

/** @throws ConfigError E_USAGE */
function seedList(flag: string, list: string): number[] {
  const seeds = words(list).map((word) => (/^\d+$/.test(word) ? Number(word) : Number.NaN));
  if (seeds.every((seed) => seed < 2 ** 32) && new Set(seeds).size === seeds.length) return seeds;
  throw new ConfigError('E_USAGE', `mimic ablate: --${flag}: got "${list}", expected different integers such as 1,2,3`);
}
