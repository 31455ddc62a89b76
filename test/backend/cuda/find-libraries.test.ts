import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { libraryCandidates } from '../../../src/backend/cuda/find-libraries.js';

const root = mkdtempSync(join(tmpdir(), 'mimic-libraries-'));
afterAll(() => rmSync(root, { recursive: true }));

function touch(...parts: string[]): string {
  const path = join(root, ...parts);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '');
  return path;
}

const explicit = touch('mine', 'libnvrtc.so.12');
const home = touch('home', 'lib64', 'libnvrtc.so.12');
const toolkit13 = touch('usr/local/cuda-13.0/lib64', 'libnvrtc.so.13');
const toolkit129 = touch('usr/local/cuda-12.9/lib64', 'libnvrtc.so.12');
const toolkit1210 = touch('usr/local/cuda-12.10/lib64', 'libnvrtc.so.12');
const pip = touch('venv/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib', 'libnvrtc.so.12');
const pip13 = touch('venv/lib/python3.12/site-packages/nvidia/cu13/lib', 'libnvrtc.so.13');
const path = touch('site/nvidia/cuda_nvrtc/lib', 'libnvrtc.so.11.2');
const driver = touch('usr/local/nvidia/lib64', 'libcuda.so.1');

const search = {
  folders: [join(root, 'mine')],
  environment: { CUDA_HOME: join(root, 'home'), VIRTUAL_ENV: join(root, 'venv'), PYTHONPATH: join(root, 'site') },
  systemRoot: root,
};
const paths = (found: readonly { path: string }[]) => found.map((candidate) => candidate.path);

describe('libraryCandidates', () => {
  it('trusts configuration first, then CUDA_HOME, the loader, toolkits newest first, and pip', () => {
    expect(paths(libraryCandidates('nvrtc', search))).toEqual([
      explicit,
      home,
      'libnvrtc.so.13',
      'libnvrtc.so.12',
      'libnvrtc.so.11.2',
      toolkit13,
      toolkit1210,
      toolkit129,
      path,
      pip13,
      pip,
    ]);
  });

  it('leaves out what the driver is too old for', () => {
    const found = libraryCandidates('nvrtc', { ...search, newestMajor: 12 });
    expect(paths(found)).not.toContain(toolkit13);
    expect(paths(found)).not.toContain('libnvrtc.so.13');
    expect(paths(libraryCandidates('nvrtc', { ...search, newestMajor: 11 }))).toEqual(['libnvrtc.so.11.2', path]);
  });

  it('reads MIMIC_CUDA_LIBS when no folders are given', () => {
    const environment = { MIMIC_CUDA_LIBS: `${join(root, 'nothing')}:${join(root, 'mine')}` };
    const [first] = libraryCandidates('nvrtc', { environment, systemRoot: root });
    expect(first).toEqual({ path: explicit, major: 12, place: 'MIMIC_CUDA_LIBS' });
  });

  it('looks for the driver where containers mount it, and never in toolkits that lack it', () => {
    expect(paths(libraryCandidates('cuda', search))).toEqual(['libcuda.so.1', driver]);
  });
});
