import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Context } from '../../../src/backend/cuda/context.js';
import { Driver } from '../../../src/backend/cuda/driver.js';
import { KernelLibrary } from '../../../src/backend/cuda/kernel-library.js';
import { Modules } from '../../../src/backend/cuda/modules.js';
import { Nvrtc } from '../../../src/backend/cuda/nvrtc.js';
import { stub, stubFolder } from './devices.js';

const SOURCE = `#include "device.h"
KERNEL plain(float* x, i64 n) { FOR_EACH(i, n) x[i] += 1.0f; }
STORED_KERNEL(twice)(stored* x, i64 n) { FOR_EACH(i, n) x[i] = 2.0f * x[i]; }
`;
const library = await KernelLibrary.read();
const small = new KernelLibrary([{ name: 'small.cu', path: '', text: SOURCE }], library.headers);

const cacheBefore = process.env['XDG_CACHE_HOME'];
let folder = '';
let context: Context;
let nvrtc: Nvrtc;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mimic-modules-'));
  process.env['XDG_CACHE_HOME'] = folder;
  context = new Context(Driver.open({ folders: [stubFolder] }), 0);
  nvrtc = Nvrtc.open({ folders: [stubFolder] });
});
afterEach(() => {
  context.release();
  if (cacheBefore === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = cacheBefore;
  rmSync(folder, { recursive: true });
});

const cached = () => readdirSync(join(folder, 'mimic-chat', 'cuda'));

describe('Modules', () => {
  it('compile a file when one of its kernels is first asked for, bf16 variants apart', () => {
    const modules = new Modules(context, nvrtc, small);
    expect(modules.compiled).toBe(0);
    const plain = modules.get('plain');
    modules.get('twice');
    expect(modules.compiled).toBe(1);
    modules.get('twice_bf16');
    expect(modules.compiled).toBe(2);
    expect(modules.get('plain')).toBe(plain);
    expect(plain.attributes().maxThreads).toBeGreaterThan(0);
    modules.dispose();
  });

  it('find compiled files again, and other GPUs or changed sources not', () => {
    const first = new Modules(context, nvrtc, small);
    first.loadAll();
    first.dispose();
    const again = new Modules(context, nvrtc, small);
    again.loadAll();
    expect(again.compiled).toBe(0);
    again.dispose();
    expect(cached()).toHaveLength(2);
    const changed = new KernelLibrary([{ name: 'small.cu', path: '', text: `${SOURCE}// new\n` }], library.headers);
    const other = new Modules(context, nvrtc, changed);
    other.get('plain');
    expect(other.compiled).toBe(1);
    other.dispose();
  });

  it('compile again when the cache is damaged', () => {
    const first = new Modules(context, nvrtc, small);
    first.get('plain');
    first.dispose();
    for (const name of cached()) writeFileSync(join(folder, 'mimic-chat', 'cuda', name), 'damaged');
    const again = new Modules(context, nvrtc, small);
    again.get('plain');
    expect(again.compiled).toBe(1);
    again.dispose();
  });

  it('name the kernel that was meant', () => {
    const modules = new Modules(context, nvrtc, library);
    expect(() => modules.get('geluu')).toThrow('cuda: no kernel named geluu; did you mean gelu?');
  });

  it('refuse more shared memory than the GPU has', () => {
    const modules = new Modules(context, nvrtc, small);
    expect(() => modules.get('plain').allowSharedBytes(2 ** 20)).toThrow(/plain 1048576 bytes .* of at most 101376/);
    modules.dispose();
  });

  it('leave nothing behind', () => {
    expect(stub.allocationCount()).toBe(0);
  });
});
