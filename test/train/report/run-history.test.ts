import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RunHistory } from '../../../src/train/report/run-history.js';
import { temporaryFolder } from '../temporary-folder.js';

const folder = temporaryFolder();

const environment = {
  ...{ version: '1', commandLine: [], folder: '/', git: null, node: 'v20', platform: 'x', memoryBytes: 1 },
  ...{ cpu: { model: 'x', cores: 1, usable: 1 }, backend: 'native', device: 'cpu', precision: 'fp32', reason: 'r' },
  ...{ gemm: null, ranks: 1 },
};
const start = (firstStep: number) => {
  return { event: 'start', time: 't', firstStep, totalSteps: 9, records: 5, questions: 2, parts: [], environment };
};
const step = (n: number, loss: number) => {
  const rest = { gradNorm: 1, learningRate: 0.1, tokens: 20, clips: 2, dataWaitSec: 0.5 };
  return { event: 'step', step: n, loss, seconds: 2, ...rest };
};
const validation = (n: number, accuracy: number) => {
  return { event: 'validation', step: n, accuracy, loss: 1, byTask: { title: accuracy }, questions: 2 };
};
const lines = (...events: object[]) => events.map((event) => `${JSON.stringify(event)}\n`).join('');

describe('RunHistory', () => {
  it('shows one course where an interrupted run did steps twice', async () => {
    const path = join(folder, 'twice.jsonl');
    const killed = '{"event":"step","step":5,"lo\n';
    const first = lines(
      start(0),
      step(1, 9),
      step(2, 8),
      validation(2, 0.3),
      step(3, 7),
      step(4, 6),
      validation(4, 0.4),
    );
    writeFileSync(path, first + killed + lines(start(2), step(3, 70), step(4, 60), validation(4, 0.45)));
    const history = new RunHistory(path);
    await history.update();
    expect(history.steps.list().map(({ step, values: [loss] }) => [step, loss])).toEqual([
      [1, 9],
      [2, 8],
      [3, 70],
      [4, 60],
    ]);
    expect(history.validations.map(({ step, accuracy }) => [step, accuracy])).toEqual([
      [2, 0.3],
      [4, 0.45],
    ]);
    expect(history).toMatchObject({ lastStep: 4, end: null, starts: [{ firstStep: 0 }, { firstStep: 2 }] });
    // The time of steps done twice was spent twice.
    expect(history.spent).toEqual({ seconds: 12, tokens: 120, clips: 12, waitSec: 3 });
  });

  it('reads on from where it stood, also in the middle of a line', async () => {
    const path = join(folder, 'on.jsonl');
    const second = lines(step(2, 8));
    writeFileSync(path, lines(start(0), step(1, 9)) + second.slice(0, 20));
    const history = new RunHistory(path);
    await history.update();
    expect(history.lastStep).toBe(1);
    appendFileSync(path, second.slice(20));
    await history.update();
    await history.update();
    expect(history.steps.list().map(({ step }) => step)).toEqual([1, 2]);
  });

  it('reads files of more than one piece, with letters of several bytes', async () => {
    const path = join(folder, 'large.jsonl');
    const note = { event: 'probe', step: 1, answers: [], note: 'é'.repeat(300) };
    const events = Array.from({ length: 4000 }, (_, i) => (i % 2 === 0 ? note : step((i + 1) / 2, i)));
    writeFileSync(path, lines(...events));
    const history = new RunHistory(path);
    await history.update();
    expect(history.probes.length).toBe(2000);
    expect(history.steps.list().reduce((sum, { steps }) => sum + steps, 0)).toBe(2000);
    expect(history.lastStep).toBe(2000);
  });
});
