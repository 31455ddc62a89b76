import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseSignatures } from '../../src/backend/signatures.js';
import { packageRoot } from '../../src/base/package-root.js';

describe('parseSignatures', () => {
  it('reads kernels and exported functions, over several lines', () => {
    const source = `
KERNEL scale(const float* x, float *y, i64 n,
             float factor, int mode, u32 seed) {
}
extern "C" void* host_alloc(unsigned long long bytes) {
extern "C" int host_threads() { return 1; }
DEVICE float helper(float x) {`;
    expect(parseSignatures(source)).toEqual([
      {
        name: 'scale',
        result: 'void',
        parameters: ['uint64', 'uint64', 'int64', 'float', 'int32', 'uint32'],
        parameterNames: ['x', 'y', 'n', 'factor', 'mode', 'seed'],
      },
      { name: 'host_alloc', result: 'uint64', parameters: ['uint64'], parameterNames: ['bytes'] },
      { name: 'host_threads', result: 'int32', parameters: [], parameterNames: [] },
    ]);
  });

  it('reads a stored kernel as two, one for each storage', () => {
    const parameters = { result: 'void', parameters: ['uint64', 'int64'], parameterNames: ['x', 'n'] };
    expect(parseSignatures('STORED_KERNEL(half)(stored* x, i64 n) {')).toEqual([
      { name: 'half', ...parameters },
      { name: 'half_bf16', ...parameters },
    ]);
  });

  it('refuses a parameter type that it cannot pass', () => {
    expect(() => parseSignatures('KERNEL f(double x) {\n')).toThrow(
      'kernel f: no rule to pass the parameter "double x"',
    );
  });

  it('finds every kernel of the sources, under names that differ, with an amount of work', () => {
    const folder = join(packageRoot(), 'src', 'backend', 'kernels');
    const sources = readdirSync(folder)
      .filter((name) => name.endsWith('.cu'))
      .map((name) => readFileSync(join(folder, name), 'utf8'));
    const found = sources.flatMap(parseSignatures);
    const plain = sources.join('\n').match(/^KERNEL /gm) ?? [];
    const stored = sources.join('\n').match(/^STORED_KERNEL\(/gm) ?? [];
    expect(found.length).toBe(plain.length + 2 * stored.length);
    expect(new Set(found.map(({ name }) => name)).size).toBe(found.length);
    for (const kernel of sources.join('\n').matchAll(/^(?:KERNEL |STORED_KERNEL\()(\w+)\)?\(([^)]*)\)/gm)) {
      expect(kernel[2], `kernel ${kernel[1]}`).toMatch(/\bi64 (n|rows)\b/);
    }
  });
});
