import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot, packageVersion } from '../../src/base/package-root.js';

describe('packageRoot', () => {
  it('is the folder whose package.json names this package', () => {
    const manifest: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
    expect(manifest).toMatchObject({ name: 'mimic-chat', version: packageVersion() });
  });
});
