import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadRunConfig } from '../../src/train/base-settings.js';
import { openGvlabJson, TIMESFORMER_JSON, writeFolder } from '../model/checkpoints/tiny-published.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();
const published = (name: string, json: object) => writeFolder(join(folder, name), { json: { 'config.json': json } });

async function yaml(text: string): Promise<string> {
  const file = join(folder, 'run.yaml');
  await writeFile(file, text);
  return file;
}

describe('loadRunConfig', () => {
  it('takes sizes, template and normalisation from the base beneath the YAML file, with their origin', async () => {
    const base = await published(
      'internvl',
      openGvlabJson('qwen2', { force_image_size: 8, template: 'internlm2-chat' }),
    );
    const file = await yaml(
      'model:\n  temporal: {imageSize: 8, patchSize: 4, pool: [1, 1, 1]}\n  spatial: {std: [1, 1, 1]}\n',
    );
    const { config, origins, notes } = await loadRunConfig({ file, overrides: [`--base=${base}`] });
    expect(config.model.language).toMatchObject({ family: 'qwen2', hiddenSize: 16, vocabSize: 23, maxPositions: 512 });
    expect(config.model.spatial).toMatchObject({ hiddenSize: 8, mean: [0.485, 0.456, 0.406], std: [1, 1, 1] });
    expect(config.prompt.template).toBe('internlm2-chat');
    expect(config.video).toMatchObject({ fit: 'squash', resize: 'bicubic' });
    const origin = origins.get('model.language.hiddenSize') ?? '';
    expect(origin).toMatch(/^base .*config\.json$/);
    expect(origins.get('model.spatial.std')).toBe(`${file}:3`);
    expect(origins.get('model.lora.rank')).toBe('default');
    expect(notes.join()).toContain('no preprocessor_config.json');
  });

  it('gives the same configuration again from the resolved settings', async () => {
    const base = await published('again', openGvlabJson('internlm2'));
    const temporalBase = await published('again-temporal', { ...TIMESFORMER_JSON, image_size: 8 });
    const file = await yaml(`base: ${base}\ntemporalBase: ${temporalBase}\nmodel: {temporal: {pool: [1, 1, 1]}}\n`);
    const first = await loadRunConfig({ file });
    expect(first.config.model.temporal).toMatchObject({ numHeads: 3, numFrames: 3, mean: [0.45, 0.45, 0.45] });
    const second = await loadRunConfig({ file: await yaml(first.yaml) });
    expect(second.config).toEqual(first.config);
  });

  it('refuses a value that contradicts the weights, naming both, and reports all at once', async () => {
    const base = await published('contradicted', openGvlabJson('internlm2'));
    const file = await yaml(
      `base: ${base}\nmodel:\n  ablate: no-temporal-encoder\n  language:\n    hiddenSize: 32\n    numLayers: 2\n  lora: {rnak: 4}\n`,
    );
    const at = relative('.', join(base, 'config.json'));
    const where = at.length < join(base, 'config.json').length ? at : join(base, 'config.json');
    const error: unknown = await loadRunConfig({ file, overrides: ['--model.spatial.normEps=1e-5'] }).catch(
      (e: unknown) => e,
    );
    const lines = error instanceof Error ? error.message.split('\n  ') : [];
    expect(lines[0]).toBe('3 problems in the configuration');
    expect(lines).toContain(
      `${file}:5: model.language.hiddenSize: got 32, and base ${where} has 16; remove the key, or name other weights`,
    );
    expect(lines.join('\n')).toContain('--model.spatial.normEps: got 0.00001, and base');
    expect(lines.join('\n')).toContain('model.lora.rnak: unknown key, did you mean "rank"?');
  });

  it('refuses a TimeSformer as base and an InternVL as temporalBase', async () => {
    const temporal = await published('temporal', TIMESFORMER_JSON);
    const internvl = await published('whole', openGvlabJson('internlm2'));
    await expect(loadRunConfig({ overrides: [`--base=${temporal}`] })).rejects.toThrow(
      'that of a TimeSformer, expected an InternVL',
    );
    await expect(loadRunConfig({ overrides: [`--temporalBase=${internvl}`] })).rejects.toThrow(
      'expected a TimeSformer',
    );
  });

  it('leaves a folder of ours, and one that is not there, to the loader', async () => {
    const own = await writeFolder(join(folder, 'own'), { json: { 'config.yaml': { model: {} }, 'config.json': {} } });
    for (const base of [own, join(folder, 'absent')]) {
      const { config, origins } = await loadRunConfig({ overrides: [`--base=${base}`] });
      expect(config.base).toBe(base);
      expect(origins.get('model.language.hiddenSize')).toBe('default');
    }
  });
});
