import {
  copyFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointError, ConfigError } from '../../src/base/errors.js';
import { sha256 } from '../../src/base/hash.js';
import { Rng } from '../../src/base/rng.js';
import { openSafetensors } from '../../src/model/weights/safetensors.js';
import { findLatestCheckpoint, loadCheckpoint, markBest, saveCheckpoint } from '../../src/train/checkpoint.js';
import { contentsOf } from './checkpoint/contents.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();

async function refusal(path: string): Promise<CheckpointError> {
  try {
    await loadCheckpoint(path);
  } catch (error) {
    if (error instanceof CheckpointError) return error;
    throw error;
  }
  throw new Error(`${path} was loaded`);
}

const stepNames = (dir: string) =>
  readdirSync(dir)
    .filter((name) => name.startsWith('step-'))
    .sort();

describe('a checkpoint', () => {
  it('gives back weights, optimizer, state and configuration exactly', async () => {
    const dir = join(folder, 'round-trip');
    const tokenizer = join(folder, 'tokenizer.json');
    writeFileSync(tokenizer, '{"model":{}}');
    const state = {
      step: 7,
      lr: 0.1 + 0.2,
      large: 2 ** 53 - 1,
      best: null,
      text: 'gr\u00f6\u00dfe',
      quarantine: ['a.mp4'],
      arrays: [
        Float64Array.of(Math.PI, Number.NaN, -0),
        Int32Array.of(-1, 2),
        Uint8Array.of(255),
        Uint32Array.of(2 ** 32 - 1),
      ],
    };
    const contents = { ...contentsOf(7), state, extraFiles: [tokenizer] };
    const { path, bytes } = await saveCheckpoint(dir, contents);
    expect(path).toBe(join(dir, 'step-00000007'));

    const loaded = await loadCheckpoint(path);
    expect(loaded.step).toBe(7);
    expect(loaded.state).toEqual(state);
    expect(loaded.optimizer).toEqual(contents.optimizer);
    expect(loaded.configYaml).toBe(contents.configYaml);
    expect(readFileSync(join(path, 'tokenizer.json'), 'utf8')).toBe('{"model":{}}');
    expect(loaded.manifest).toMatchObject({ backend: 'native', configHash: sha256(contents.configYaml) });
    expect(loaded.manifest.files.reduce((sum, file) => sum + file.bytes, 0)).toBe(bytes);

    const weights = await openSafetensors(loaded.weightsPath);
    for (const { name, data } of contents.weights) expect(await weights.readFloat32(name)).toEqual(data);
    await weights.close();
  });

  it('refuses extra files that would replace its own', async () => {
    const extra = join(folder, 'config.yaml');
    writeFileSync(extra, 'x');
    const save = saveCheckpoint(join(folder, 'extra'), { ...contentsOf(1), extraFiles: [extra] });
    await expect(save).rejects.toThrow('a checkpoint already holds a file named config.yaml');
    expect(readdirSync(join(folder, 'extra'))).toEqual([]);
  });

  it('refuses to start when the disk has too little space, naming both figures', async () => {
    const size = 2 ** 50;
    const huge = { name: 'x', dtype: 'U8', shape: [size], data: () => new Uint8Array(0) } as const;
    const save = saveCheckpoint(join(folder, 'space'), { ...contentsOf(1), weights: [huge] });
    await expect(save).rejects.toThrow(/needs 1\.1 PiB, free are \d/);
    await expect(save).rejects.toMatchObject({ code: 'E_CHECKPOINT_DISK_FULL' });
    expect(readdirSync(join(folder, 'space'))).toEqual([]);
  });
});

describe('a damaged checkpoint', () => {
  const setUp = async (name: string) => {
    const { path } = await saveCheckpoint(join(folder, name), contentsOf(1));
    return { path, names: readdirSync(path), manifest: (await loadCheckpoint(path)).manifest };
  };

  it('is refused for one flipped bit anywhere in any file, with the file and its expected hash', async () => {
    const { path, names, manifest } = await setUp('flips');
    const rng = new Rng(3);
    for (const name of names) {
      const file = join(path, name);
      const original = readFileSync(file);
      const expected = manifest.files.find((entry) => entry.name === name)?.sha256 ?? '';
      for (let run = 0; run < 150; run++) {
        const bytes = Buffer.from(original);
        const at = rng.int(bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << rng.int(8));
        writeFileSync(file, bytes);
        const error = await refusal(path);
        expect(error.message).toContain(file);
        if (name !== 'MANIFEST.json') {
          expect(error.code).toBe('E_CHECKPOINT_FILE_HASH');
          expect(error.message).toContain(`expected ${original.length} bytes with SHA-256 ${expected}`);
        } else {
          expect(error.code).toBe('E_CHECKPOINT_MANIFEST');
        }
      }
      writeFileSync(file, original);
    }
    expect((await loadCheckpoint(path)).step).toBe(1);
  });

  it('is refused for a file cut anywhere or grown, and passed over when looking for the latest', async () => {
    const { path, names } = await setUp('cuts');
    await saveCheckpoint(join(folder, 'cuts'), contentsOf(2));
    const newest = join(folder, 'cuts/step-00000002');
    const rng = new Rng(4);
    for (const name of names) {
      const file = join(newest, name);
      const original = readFileSync(file);
      const lengths = [
        0,
        1,
        original.length - 1,
        original.length + 1,
        ...Array.from({ length: 20 }, () => rng.int(original.length)),
      ];
      for (const length of lengths) {
        truncateSync(file, length);
        expect((await refusal(newest)).message).toContain(file);
        const { latest, skipped } = await findLatestCheckpoint(join(folder, 'cuts'));
        expect(latest?.path).toBe(path);
        expect(skipped).toHaveLength(1);
        expect(skipped[0]?.reason).toContain(file);
        writeFileSync(file, original);
      }
    }
  });

  it('is refused without any one of its files', async () => {
    const { path, names } = await setUp('missing');
    for (const name of names) {
      renameSync(join(path, name), join(folder, 'held'));
      const error = await refusal(path);
      expect(error.message).toContain(join(path, name));
      expect(error.message).toContain(name === 'MANIFEST.json' ? 'cannot be read (ENOENT' : 'no such file (ENOENT');
      renameSync(join(folder, 'held'), join(path, name));
    }
  });

  it('is refused when its manifest was edited, names another place or comes from a later version', async () => {
    const { path } = await setUp('edited');
    const file = join(path, 'MANIFEST.json');
    const text = readFileSync(file, 'utf8');
    const reasonFor = async (edited: string) => {
      writeFileSync(file, edited);
      return (await refusal(path)).message;
    };
    expect(await reasonFor(text.replace('"step": 1', '"step": 2'))).toContain('does not fit its checksum');
    expect(await reasonFor(`${text}\n`)).toContain('does not fit its checksum');
    expect(await reasonFor(text.replace('"config.yaml"', '"../config.yaml"'))).toContain('not a manifest of version 1');
    expect(await reasonFor(text.replace('"version": 1', '"version": 2'))).toContain('not a manifest of version 1');
    expect(await reasonFor('{}')).toContain('not a manifest of version 1');
    expect(await reasonFor('hello')).toContain('not a manifest of version 1');
  });

  it('is refused when records or state are not what the name says, though the hashes fit', async () => {
    const dir = join(folder, 'content');
    const moments = { name: 'x', step: 1, m: new Float32Array(1), v: new Float32Array(1) };
    const wrong = { ...moments, v: new Float64Array(1) };
    const { path } = await saveCheckpoint(dir, { ...contentsOf(1), optimizer: [moments, wrong as never] });
    const error = await refusal(path);
    expect(error.code).toBe('E_CHECKPOINT_CONTENT');
    expect(error.message).toContain('optimizer.msgpack: record 1:');
  });
});

describe('the folder of a run', () => {
  it('keeps the newest two and the best', async () => {
    const dir = join(folder, 'keep');
    for (const step of [100, 200, 300, 400, 500]) {
      const { removed, warnings } = await saveCheckpoint(dir, { ...contentsOf(step), best: step === 200 });
      expect(warnings).toEqual([]);
      if (step === 300) expect(removed).toEqual([join(dir, 'step-00000100')]);
    }
    expect(stepNames(dir)).toEqual(['step-00000200', 'step-00000400', 'step-00000500']);
    expect((await loadCheckpoint(join(dir, 'best'))).step).toBe(200);
    await markBest(dir, 500);
    await saveCheckpoint(dir, contentsOf(600));
    expect(stepNames(dir)).toEqual(['step-00000500', 'step-00000600']);
    expect((await loadCheckpoint(join(dir, 'best'))).step).toBe(500);
  });

  it('keeps later checkpoints of a run that went back, and never removes the one just saved', async () => {
    const dir = join(folder, 'back');
    for (const step of [100, 300, 400]) await saveCheckpoint(dir, { ...contentsOf(step), keep: 3 });
    await saveCheckpoint(dir, contentsOf(150));
    expect(stepNames(dir)).toEqual(['step-00000100', 'step-00000150', 'step-00000300', 'step-00000400']);
  });

  it('does not count incomplete checkpoints as kept, nor remove them', async () => {
    const dir = join(folder, 'incomplete');
    for (const step of [1, 2]) await saveCheckpoint(dir, contentsOf(step));
    rmSync(join(dir, 'step-00000002/MANIFEST.json'));
    await saveCheckpoint(dir, contentsOf(3));
    expect(stepNames(dir)).toEqual(['step-00000001', 'step-00000002', 'step-00000003']);
  });

  it('has no latest when it is empty, absent or holds only broken ones, and says why', async () => {
    expect(await findLatestCheckpoint(join(folder, 'absent'))).toEqual({ latest: undefined, skipped: [] });
    const dir = join(folder, 'broken');
    const { path } = await saveCheckpoint(dir, contentsOf(1));
    rmSync(join(path, 'MANIFEST.json'));
    const { latest, skipped } = await findLatestCheckpoint(dir);
    expect(latest).toBeUndefined();
    expect(skipped[0]?.reason).toContain('MANIFEST.json: cannot be read');
  });

  it('passes over a folder whose name and manifest disagree, and names of other things', async () => {
    const dir = join(folder, 'names');
    const { path } = await saveCheckpoint(dir, contentsOf(1));
    cpSync(path, join(dir, 'step-00000009'), { recursive: true });
    cpSync(path, join(dir, 'step-10-backup'), { recursive: true });
    copyFileSync(join(path, 'config.yaml'), join(dir, 'step-00000011'));
    const { latest, skipped } = await findLatestCheckpoint(dir);
    expect(latest).toEqual({ step: 1, path });
    expect(skipped.map(({ reason }) => reason).join()).toMatch(/cannot be read \(ENOTDIR.*its manifest is of step 1$/);
  });

  it.each([[1], [0], [2.5]])('refuses to keep %d checkpoints', async (keep) => {
    const save = saveCheckpoint(join(folder, 'keep-one'), { ...contentsOf(1), keep });
    await expect(save).rejects.toThrow(ConfigError);
    await expect(save).rejects.toThrow(`got ${keep}, expected 2 or more`);
  });
});
