/** TF.js's own op tests, as tfjs-core publishes them, on the native backend. The results are in docs/reference-kernels.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { useBackend } from '../../src/backend/select.js';
import { packageRoot } from '../../src/base/package-root.js';
import { EXCLUSIONS } from './exclusions.js';
import { fenceBuffers } from './fences.js';
import { describe, installJasmine } from './jasmine.js';
import { countKernelRuns } from './kernel-use.js';
import { SUITES } from './suites.js';

// The published files import this module; the original needs jasmine-core.
vi.mock('@tensorflow/tfjs-core/dist/jasmine_util.js', () => import('./jasmine-util.js'));

await useBackend({ backend: 'native', threads: 1 });
const backend = tf.backend();
if (!(backend instanceof NativeBackend)) throw new TypeError('the current backend is not the native one');
const { device } = backend;
fenceBuffers(device);
// It outlives the backends that the suites dispose of.
device.dispose = () => {};
const kernelRuns = countKernelRuns('native');
const totalRuns = () => [...kernelRuns.values()].reduce((sum, runs) => sum + runs, 0);

const specs: string[] = [];
const matching = (patterns: readonly RegExp[]) => specs.filter((spec) => patterns.some((p) => p.test(spec)));
installJasmine((names) => {
  const spec = names.join(' > ');
  specs.push(spec);
  return EXCLUSIONS.some(({ specs: patterns }) => patterns.some((p) => p.test(spec))) ? 'must fail' : 'run';
});

/** The published modules share the engine and the registries of tfjs-core's bundle, which the backend uses. */
const core = (path: string) => import(`@tensorflow/tfjs-core/dist/${path}.js`);
// It warns that the platform is set already.
const warnings = vi.spyOn(console, 'warn').mockReturnValue(undefined);
await core('index');
warnings.mockRestore();
await core('register_all_gradients');
await core('public/chained_ops/register_all_chained_ops');
// Ours last, in place of TF.js's for the same kernels.
await import('../../src/ops/gradients/index.js');

for (const suite of SUITES) {
  describe(suite, async () => {
    let before = 0;
    beforeAll(() => {
      before = totalRuns();
    });
    await core(suite);
    afterAll(() => expect(totalRuns(), `${suite} runs no kernel of the native backend`).toBeGreaterThan(before));
  });
}

/** TF.js's own functions compute these with other kernels: tf.broadcastTo tiles, tf.logSoftmax subtracts. */
const WITHOUT_FUNCTION = ['BroadcastTo', 'LogSoftmax'];
const stock = [...kernelRuns.keys()].filter((name) => !name.startsWith('Mimic')).sort();

describe('the conformance run', () => {
  it('computes on the native backend alone', () => {
    expect(tf.engine().backendNames()).toEqual(['native']);
    expect(device.stats().launches).toBeGreaterThan(SUITES.length);
  });

  it('reaches every TF.js kernel that the backend registers', () => {
    expect(stock.filter((name) => kernelRuns.get(name) === 0)).toEqual(WITHOUT_FUNCTION);
  });

  it('has no exclusion that matches nothing', () => {
    const stale = EXCLUSIONS.flatMap(({ specs: patterns }) => patterns).filter((p) => matching([p]).length === 0);
    expect(stale).toEqual([]);
  });

  it('is what docs/reference-kernels.md tells', () => {
    const page = readFileSync(join(packageRoot(), 'docs', 'reference-kernels.md'), 'utf8').replace(/ +/g, ' ');
    const excluded = matching(EXCLUSIONS.flatMap(({ specs: patterns }) => patterns)).length;
    expect(page).toContain(
      `${specs.length} specs in ${SUITES.length} suites: ${specs.length - excluded} pass, ${excluded} are excluded`,
    );
    for (const { reason, specs: patterns } of EXCLUSIONS) {
      expect(page).toContain(`| ${reason} | ${matching(patterns).length} |`);
    }
    const offered = page.slice(page.indexOf('## Offered'), page.indexOf('## Where it differs'));
    expect([...offered.matchAll(/`(\w+)`/g)].map((match) => match[1] ?? '').sort()).toEqual(stock);
  });
});
