/** The files of deploy/, as far as a machine without Slurm, Docker and Kubernetes can check them. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { packageRoot } from '../../src/base/package-root.js';
import { train } from '../../src/cli/commands/train.js';
import { RunConfigSchema } from '../../src/train/config.js';
import { temporaryFolder } from '../train/temporary-folder.js';

const file = (name: string) => join(packageRoot(), 'deploy', name);
const text = (name: string) => readFileSync(file(name), 'utf8');

/** Flags and configuration keys of a `mimic train` command line; what it does not know is thrown. */
function checkTrainFlags(command: string): string[] {
  const words = [...command.matchAll(/--([\w.-]+)/g)].map((match) => match[1] ?? '');
  const known = new Set([...Object.keys(train.flags), ...Object.keys(RunConfigSchema.shape), 'train.accumulate']);
  const unknown = words.filter((word) => !known.has(word));
  if (unknown.length > 0) throw new Error(`mimic train has no ${unknown.join(', ')}`);
  return words;
}

describe('deploy/train.sbatch', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'bin'));

  /** Runs the script with an srun and an scontrol that write down what they were given. */
  function submit(srunStatus: number, env: Readonly<Record<string, string>> = {}, args = ['run.yaml', '--name=a b']) {
    for (const [name, status] of Object.entries({ srun: srunStatus, scontrol: 0 })) {
      const program = join(folder, 'bin', name);
      writeFileSync(program, `#!/bin/sh\nprintf '%s|' ${name} "$@"; echo\nexit ${status}\n`);
      chmodSync(program, 0o755);
    }
    const { status, stdout, stderr } = spawnSync('bash', [file('train.sbatch'), ...args], {
      encoding: 'utf8',
      env: { PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`, SLURM_JOB_ID: '77', ...env },
    });
    return { status, lines: stdout.trim().split('\n'), stderr };
  }

  it('starts the ranks through PMIx, with what it was given', () => {
    const start = 'srun|--mpi=pmix|--kill-on-bad-exit=1|--cpu-bind=cores|mimic|train|-c|run.yaml|';
    expect(submit(0)).toEqual({ status: 0, lines: [`${start}--name=a b|`], stderr: '' });
    expect(submit(0, { SLURM_RESTART_COUNT: '1' }).lines).toEqual([`${start}--resume|--name=a b|`]);
    expect(submit(0, { MIMIC: 'node /x/mimic.js' }).lines[0]).toContain('|node|/x/mimic.js|train|');
    checkTrainFlags('--resume --name=a');
  });

  it('goes back into the queue after a signal, and fails with the status of its ranks', () => {
    const interrupted = submit(130);
    expect(interrupted.status).toBe(0);
    expect(interrupted.lines.at(-1)).toBe('scontrol|requeue|77|');
    expect(submit(1)).toMatchObject({ status: 1, lines: [expect.stringMatching(/^srun/)] });
    expect(submit(0, {}, [])).toMatchObject({ status: 2, stderr: expect.stringContaining('usage: sbatch') });
  });

  it('asks for one task a GPU, and for the signal early enough to save', () => {
    const options = new Map(
      [...text('train.sbatch').matchAll(/^#SBATCH --([\w-]+)=?(.*)$/gm)].map(([, k, v]) => [k, v]),
    );
    expect(options.get('ntasks-per-node')).toBe(options.get('gpus-per-node'));
    expect(options.get('signal')).toBe('TERM@300');
    expect(options.has('requeue')).toBe(true);
  });

  const shellcheck = spawnSync('shellcheck', ['--version']).status === 0;
  it.skipIf(!shellcheck)('passes shellcheck (skipped where it is not installed)', () => {
    expect(execFileSync('shellcheck', [file('train.sbatch')], { encoding: 'utf8' })).toBe('');
  });
});

describe('deploy/mpijob.yaml', () => {
  const container = z.looseObject({
    image: z.string(),
    command: z.array(z.string()),
    args: z.array(z.string()),
    resources: z.looseObject({ limits: z.record(z.string(), z.union([z.string(), z.number()])).optional() }),
    volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })),
  });
  const replica = z.strictObject({
    replicas: z.int().positive(),
    restartPolicy: z.enum(['Never', 'OnFailure']).optional(),
    template: z.strictObject({
      spec: z.strictObject({
        terminationGracePeriodSeconds: z.int().positive().optional(),
        containers: z.tuple([container]),
        volumes: z.array(z.looseObject({ name: z.string() })),
      }),
    }),
  });
  // The fields of v2beta1 that are used here, as the operator's reference lists them.
  const schema = z.strictObject({
    apiVersion: z.literal('kubeflow.org/v2beta1'),
    kind: z.literal('MPIJob'),
    metadata: z.strictObject({ name: z.string() }),
    spec: z.strictObject({
      slotsPerWorker: z.int(),
      mpiImplementation: z.literal('OpenMPI'),
      launcherCreationPolicy: z.enum(['AtStartup', 'WaitForWorkersReady']),
      sshAuthMountPath: z.string(),
      runPolicy: z.strictObject({ cleanPodPolicy: z.enum(['None', 'Running', 'All']), backoffLimit: z.int() }),
      mpiReplicaSpecs: z.strictObject({ Launcher: replica, Worker: replica }),
    }),
  });
  const { spec } = schema.parse(parse(text('mpijob.yaml')));
  const { Launcher, Worker } = spec.mpiReplicaSpecs;
  const script = Launcher.template.spec.containers[0].args[0] ?? '';

  it('starts a rank on every GPU of every worker, with work for each', () => {
    const ranks = Number(/mpirun -n (\d+)/.exec(script)?.[1]);
    expect(ranks).toBe(spec.slotsPerWorker * Worker.replicas);
    expect(Worker.template.spec.containers[0].resources.limits?.['nvidia.com/gpu']).toBe(spec.slotsPerWorker);
    expect(Number(/--train\.accumulate=(\d+)/.exec(script)?.[1]) % ranks).toBe(0);
    checkTrainFlags(/mimic train [\s\S]*/.exec(script)?.[0] ?? '');
  });

  it('hands SIGTERM on as the signal that mpirun passes to the ranks, and ends with their exit code', async () => {
    const folder = temporaryFolder();
    const stub = 'trap \'echo saved; exit 130\' USR2; echo started "$@"; while :; do sleep 0.05; done';
    writeFileSync(join(folder, 'mpirun'), `#!/bin/bash\n${stub}\n`, { mode: 0o755 });
    const launcher = spawn('bash', ['-ec', script], { env: { PATH: `${folder}:${process.env['PATH'] ?? ''}` } });
    let output = '';
    launcher.stdout.on('data', (text) => {
      output += text;
      if (text.includes('started')) launcher.kill('SIGTERM');
    });
    expect(await once(launcher, 'close')).toEqual([130, null]);
    expect(output).toMatch(/^started -n 12 .*\nsaved\n$/);
    expect(Launcher.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(60);
  });

  it('ends with the exit code of ranks that fail', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'mpirun'), '#!/bin/bash\nexit 2\n', { mode: 0o755 });
    const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    expect(spawnSync('bash', ['-ec', script], { env }).status).toBe(2);
  });

  it('mounts what its pods read and write, and every volume that it names', () => {
    for (const { template } of [Launcher, Worker]) {
      const volumes = template.spec.volumes.map(({ name }) => name).sort();
      const [{ volumeMounts, image }] = template.spec.containers;
      expect(volumeMounts.map(({ name }) => name).sort()).toEqual(volumes);
      expect(image).toBe('mimic-chat:cuda');
    }
    const mounted = Worker.template.spec.containers[0].volumeMounts.map(({ mountPath }) => mountPath);
    expect(mounted).toEqual(expect.arrayContaining(['/config', '/runs', '/data', '/dev/shm']));
    expect(execFileSync('bash', ['-n'], { input: script, encoding: 'utf8' })).toBe('');
  });
});

describe.each(['Dockerfile.cpu', 'Dockerfile.cuda'])('deploy/%s', (name) => {
  const lines = text(name).replace(/\\\n/g, ' ').split('\n');
  const instructions = lines.filter((line) => /^[A-Z]+ /.test(line)).map((line) => line.split(/\s+/));

  it('copies what exists, from named versions', () => {
    const own = instructions.filter(([word, from]) => word === 'COPY' && !from?.startsWith('--from'));
    const sources = own.flatMap((words) => words.slice(1, -1));
    expect(sources.length).toBeGreaterThan(5);
    expect(sources.filter((source) => !existsSync(join(packageRoot(), source)))).toEqual([]);
    const images = instructions.filter(([word]) => word === 'FROM').map(([, image]) => image ?? '');
    for (const image of images) expect(image).toMatch(/^[\w/-]+:[\w.${}-]+$/);
    expect(images.join()).not.toContain('latest');
  });

  it('holds every folder that the package ships, and what the launchers need', () => {
    const { files } = z
      .object({ files: z.array(z.string()) })
      .parse(JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')));
    const targets = instructions.filter(([word]) => word === 'COPY').map((words) => words.at(-1)?.replace('./', ''));
    const needed = files.filter((entry) => !entry.startsWith('!') && entry !== 'docs');
    expect(targets).toEqual(expect.arrayContaining(needed));
    for (const tool of ['ffmpeg', 'openmpi-bin', 'openssh-server']) expect(lines.join('\n')).toContain(` ${tool}`);
  });
});
