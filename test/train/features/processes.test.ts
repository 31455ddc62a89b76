import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeFeatures } from '../../../src/train/features/feature-file.js';
import { FeatureStore } from '../../../src/train/features/feature-store.js';
import { HashIndex } from '../../../src/train/features/hash-index.js';
import { compileProgram } from '../checkpoint/compile-program.js';
import { temporaryFolder } from '../temporary-folder.js';
import { featuresOf, keyOf } from './features-of.js';

const folder = temporaryFolder();
const SIZE = { rows: 64, width: 64 };
const VIDEOS = 40;
const PROCESSES = 4;
let program = '';
beforeAll(() => {
  program = compileProgram(join(folder, 'program'), '../features/cache-child');
}, 60_000);

const entriesOf = (dir: string) =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.safetensors'));

function run(dir: string, seed: number, maxBytes: number) {
  const child = spawn(process.execPath, [program, dir, String(seed), String(VIDEOS), String(maxBytes)]);
  let output = '';
  child.stdout.on('data', (text) => {
    output += text;
  });
  return { child, end: once(child, 'close').then(() => output) };
}

/** Everything left under a name is whole. */
function checkEntries(dir: string): number {
  const names = entriesOf(dir);
  for (const name of names) {
    const key = name.slice(3, -'.safetensors'.length);
    decodeFeatures(name, key, new Uint8Array(readFileSync(join(dir, name))));
  }
  return names.length;
}

describe('several processes on one cache', () => {
  it('never read anything wrong while they write, evict and are killed', async () => {
    const dir = join(folder, 'cache');
    // What an earlier run left: half of the videos and others, so that reading and evicting meet.
    const earlier = new FeatureStore({ dir, maxBytes: 1e9 });
    for (let video = VIDEOS / 2; video < 1.5 * VIDEOS; video++) {
      await earlier.put(keyOf(`video ${video}`), featuresOf(video, SIZE));
    }
    const names = entriesOf(dir);
    for (const [i, name] of names.entries()) utimesSync(join(dir, name), 1e9 + i, 1e9 + i);
    const bytes = statSync(join(dir, names[0] ?? '')).size;
    const maxBytes = (VIDEOS + 5) * bytes;

    const children = Array.from({ length: PROCESSES }, (_, seed) => run(dir, seed, maxBytes));
    const victim = run(dir, 99, maxBytes);
    setTimeout(() => victim.child.kill('SIGKILL'), 300);
    const outputs = await Promise.all(children.map(({ end }) => end));
    await victim.end;
    for (const output of outputs) {
      const { wrong, hits } = JSON.parse(output);
      // After the first round each process finds most of what it looks for.
      expect({ wrong, many: hits > VIDEOS }, output).toEqual({ wrong: 0, many: true });
    }
    // Each process may overrun by its allowance, an eighth of the room or one entry at the end.
    expect(checkEntries(dir)).toBeLessThanOrEqual(VIDEOS + 5 + 2 * (PROCESSES + 1));
    const index = new HashIndex(join(dir, 'index'));
    for (let video = 0; video < VIDEOS; video++) {
      expect(await index.get(keyOf(`state ${video}`))).toBe(keyOf(`video ${video}`));
    }
  }, 60_000);
});
