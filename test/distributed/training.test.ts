import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { findLatestCheckpoint, loadCheckpoint } from '../../src/train/checkpoint.js';
import type { TuneStep } from '../../src/train/tune.js';
import { compileRanks, RANKS_TIMEOUT_MS, whyNoMpi } from '../support/mpi/run-ranks.js';
import { tinyRun } from '../support/tiny-run.js';
import { temporaryFolder } from '../train/temporary-folder.js';
import { trainerOf } from './ranks/train-ranks.js';

const reason = whyNoMpi();

describe.skipIf(reason !== undefined)(
  `training over ranks with real Open MPI${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  { timeout: RANKS_TIMEOUT_MS },
  () => {
    const dir = temporaryFolder();
    let train: ReturnType<typeof trainerOf>;
    /** Of one rank. */
    let straight: number[] = [];
    beforeAll(async () => {
      // 14 videos, 6 a step: 3 steps an epoch, the last one of 2 videos, which leaves a third rank without work.
      const settings = { batchSize: 1, accumulate: 6, maxSteps: 4, evalEverySteps: 3, saveEverySteps: 2 };
      const { config } = await tinyRun(dir, { train: 14, validation: 3 }, { train: settings });
      train = trainerOf({ dir, config, program: compileRanks(join(dir, 'program'), ['tune']).tune });
    }, RANKS_TIMEOUT_MS);

    const losses = (steps: readonly TuneStep[]) => steps.map(({ loss }) => loss);
    const relative = (a: readonly number[], b: readonly number[]) =>
      Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? Number.NaN)) / Math.abs(value)));
    const folderOf = (name: string, step: number) => join(dir, 'checkpoints', name, `step-0000000${step}`);
    const weightsOf = (name: string, step: number) => readFile(join(folderOf(name, step), 'model.safetensors'));
    const momentsOf = (name: string, step: number) => readFile(join(folderOf(name, step), 'optimizer.msgpack'));

    it('gives the losses of one rank with the same global batch, and repeats bit for bit', async () => {
      // Two at a time: each start waits on imports and on mpirun.
      const [one, two] = await Promise.all([train(1, 'one'), train(2, 'two')]);
      const [three, again] = await Promise.all([train(3, 'three'), train(3, 'again')]);
      for (const { output, exitCode } of [one, two, three, again]) expect([exitCode, output]).toEqual([0, '']);
      const expected = one.stepsOf(0);
      straight = losses(expected);
      for (const run of [two, three]) {
        const steps = run.stepsOf(0);
        // The same samples and dropout, and losses added in the order of the micro-batches: equal until weights differ.
        expect(steps[0]?.loss).toBe(expected[0]?.loss);
        // Gradients of float32 are added in another order. Measured over 4 steps: 1.1e-8 and 7.3e-8; norms 1.7e-7.
        expect(relative(losses(expected), losses(steps))).toBeLessThan(1e-6);
        const norms = steps.map(({ gradNorm }) => gradNorm);
        expect(
          relative(
            expected.map(({ gradNorm }) => gradNorm),
            norms,
          ),
        ).toBeLessThan(2e-6);
        expect(steps.map(({ tokens, clips }) => [tokens, clips])).toEqual(
          expected.map(({ tokens, clips }) => [tokens, clips]),
        );
        expect(steps.at(-1)?.validation?.byTask).toEqual(expected.at(-1)?.validation?.byTask);
      }
      // All ranks report the same, and the same number of ranks repeats every bit.
      for (const rank of [1, 2]) expect(losses(three.stepsOf(rank))).toEqual(losses(three.stepsOf(0)));
      expect(losses(again.stepsOf(0))).toEqual(losses(three.stepsOf(0)));
      expect((await weightsOf('again', 4)).equals(await weightsOf('three', 4))).toBe(true);
      expect((await momentsOf('again', 4)).equals(await momentsOf('three', 4))).toBe(true);
    });

    it('moves a run from 2 ranks to 1 to 3', async () => {
      const stopAfter = (step: number, rank: number) => ({ fault: { kind: 'stop', rank, step } }) as const;
      // The signal of rank 1 after step 1 is known to all in step 2.
      const first = await train(2, 'moved', stopAfter(1, 1));
      const second = await train(1, 'moved', { resume: true, ...stopAfter(3, 0) });
      const third = await train(3, 'moved', { resume: true });
      for (const { output, exitCode } of [first, second, third]) expect([exitCode, output]).toEqual([0, '']);
      const all = [first, second, third].map((run) => run.stepsOf(0));
      expect(all.map((steps) => steps.map(({ step }) => step))).toEqual([[1, 2], [3], [4]]);
      // Of the straight run of one rank above. Measured: 1.1e-8.
      expect(relative(straight, losses(all.flat()))).toBeLessThan(1e-6);
    });

    /** Of the newest checkpoint, which is loaded with every check. */
    const lastStepOf = async (name: string) => {
      const { latest } = await findLatestCheckpoint(join(dir, 'checkpoints', name));
      return (await loadCheckpoint(latest?.path ?? 'none')).step;
    };

    describe('a fault on one rank', () => {
      it('with an error in its data ends all with that reason, known to each', async () => {
        const { output, exitCode } = await train(2, 'bad-data', { fault: { kind: 'data', rank: 1, step: 1 } });
        expect(exitCode).not.toBe(0);
        expect(output).toContain('[1] E_VIDEO_DECODE');
        expect(output).toMatch(/\[0\] E_RANK_FAILED[\s\S]*rank 1: E_VIDEO_DECODE: clip-7: no frame could be read/);
      });

      it('with an error that the others cannot know of aborts all with its reason', async () => {
        const { output, exitCode, secondsAfterFault } = await train(2, 'thrown', {
          fault: { kind: 'throw', rank: 1, step: 2 },
        });
        expect(exitCode).not.toBe(0);
        expect(output).toContain('rank 1 of 2: Error: the reporter of this rank broke');
        expect(secondsAfterFault()).toBeLessThan(30);
      });

      it('killed with SIGKILL ends all within 30 s, names it, and leaves the last checkpoint whole', async () => {
        const { output, exitCode, secondsAfterFault } = await train(3, 'killed', {
          fault: { kind: 'kill', rank: 1, step: 3 },
        });
        expect(exitCode).not.toBe(0);
        expect(output).toMatch(/rank 1 .*signal 9|Rank 1 \(process \d+/);
        expect(secondsAfterFault()).toBeLessThan(30);
        expect(await lastStepOf('killed')).toBe(2);
      });

      it('that enters a collective more than the others is found out, and says where each is', async () => {
        const { output, exitCode } = await train(2, 'skipping', { fault: { kind: 'skip', rank: 1, step: 1 } });
        expect(exitCode).not.toBe(0);
        expect(output).toMatch(/E_RANKS_DISAGREE[\s\S]*rank 0: data of step 1, \d+ collectives/);
      });

      it('whose loss is not finite ends all before any weight changes, with the samples and the last checkpoint', async () => {
        const { output, exitCode, secondsAfterFault } = await train(3, 'nan', {
          fault: { kind: 'nan', rank: 1, step: 3 },
        });
        expect(exitCode).not.toBe(0);
        expect(output).toMatch(/\[1\] E_LOSS_NOT_FINITE .*Step 3: .*Samples: train-\d+/);
        for (const rank of [0, 2]) {
          expect(output).toMatch(new RegExp(`\\[${rank}\\] E_RANK_FAILED[^[]*rank 1: E_LOSS_NOT_FINITE: Step 3`));
        }
        expect(secondsAfterFault()).toBeLessThan(30);
        // Saved by rank 0, whose weights are sound, before anyone could know.
        expect(await lastStepOf('nan')).toBe(3);
        const rest = await train(3, 'nan', { resume: true });
        expect(relative(straight.slice(3), losses(rest.stepsOf(0)))).toBeLessThan(1e-6);
      });

      it('that cannot write a checkpoint ends all, which go on from the one before when there is space', async () => {
        const { output, exitCode, secondsAfterFault } = await train(2, 'full', {
          fault: { kind: 'full-disk', rank: 0, step: 3 },
        });
        expect(exitCode).not.toBe(0);
        expect(output).toMatch(/\[0\] E_CHECKPOINT_SAVE .*step-00000003: saving failed \(ENOSPC/);
        expect(output).toMatch(/\[1\] E_RANK_FAILED[^[]*rank 0: E_CHECKPOINT_SAVE/);
        expect(secondsAfterFault()).toBeLessThan(30);
        expect(await lastStepOf('full')).toBe(2);
        const rest = await train(2, 'full', { resume: true });
        expect([rest.exitCode, rest.output]).toEqual([0, '']);
        // Of one rank, above. Measured: 1.1e-8.
        expect(relative(straight.slice(2), losses(rest.stepsOf(0)))).toBeLessThan(1e-6);
      });

      it('of another configuration is refused before the first step', async () => {
        const { output, exitCode } = await train(2, 'different', { seedOfRank: { 1: 4 } });
        expect(exitCode).not.toBe(0);
        expect(output).toContain('E_RANKS_DIFFER');
        expect(output).toContain('configuration, trained weights');
      });
    });
  },
);
