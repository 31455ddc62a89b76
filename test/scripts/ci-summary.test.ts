import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/base/package-root.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mimic-ci-'));
});
afterEach(() => rm(folder, { recursive: true }));

const REPORT = {
  numPassedTests: 40,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [{ status: 'passed', assertionResults: [{}] }],
};

async function summarize(report: object | '', passed: number, failed: number, status: number) {
  const file = join(folder, 'report.json');
  await writeFile(file, report === '' ? '' : JSON.stringify(report));
  const script = join(packageRoot(), 'scripts', 'ci-summary.mjs');
  const child = spawnSync(process.execPath, [script, file, String(passed), String(failed), String(status)], {
    encoding: 'utf8',
  });
  return { exit: child.status, line: child.stdout };
}

describe('scripts/ci-summary.mjs', () => {
  it('adds the tests to the checks before them', async () => {
    expect(await summarize(REPORT, 3, 0, 0)).toEqual({ exit: 0, line: '43 passed, 0 failed\n' });
  });

  it('counts skipped tests apart', async () => {
    const report = { ...REPORT, numPendingTests: 2, numTodoTests: 1 };
    expect(await summarize(report, 3, 0, 0)).toEqual({ exit: 0, line: '43 passed, 0 failed, 3 skipped\n' });
  });

  it('fails on a failed test, a failed check, and a test file that did not load', async () => {
    const unloaded = { status: 'failed', assertionResults: [] };
    const report = { ...REPORT, numFailedTests: 1, testResults: [unloaded] };
    expect(await summarize(report, 2, 1, 1)).toEqual({ exit: 1, line: '42 passed, 3 failed\n' });
  });

  it('fails when the run ended badly without a failed test, or wrote no report', async () => {
    expect(await summarize(REPORT, 3, 0, 1)).toEqual({ exit: 1, line: '43 passed, 1 failed\n' });
    expect(await summarize('', 3, 0, 1)).toEqual({ exit: 1, line: '3 passed, 1 failed\n' });
    expect(await summarize('', 0, 1, 0)).toEqual({ exit: 1, line: '0 passed, 1 failed\n' });
  });
});
