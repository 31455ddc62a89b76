import { afterEach, describe, expect, it, vi } from 'vitest';
import { ConfigError, ShapeError } from '../../src/base/errors.js';
import { log } from '../../src/base/logger.js';
import { packageVersion } from '../../src/base/package-root.js';
import { main } from '../../src/cli/main.js';
import { COMMANDS } from '../../src/cli/registry.js';
import { runCli } from '../support/run-cli.js';

afterEach(() => {
  vi.restoreAllMocks();
  log.level = 'info';
});

describe('mimic --help', () => {
  it('lists every command with its one line, on stdout', async () => {
    const { exitCode, stdout, stderr } = await runCli('--help');
    expect(exitCode).toBe(0);
    expect(stderr).toBe('');
    for (const [name, { summary }] of Object.entries(COMMANDS)) {
      expect(stdout.replace(/\s+/g, ' ')).toContain(`mimic ${name} ${summary}`);
    }
  });

  it('is what mimic alone prints', async () => {
    expect(await runCli()).toEqual(await runCli('-h'));
  });

  it('lists the members of a group', async () => {
    const { stdout } = await runCli('data', '--help');
    expect(stdout).toContain('mimic data synth');
    expect(stdout).toContain('mimic data validate');
    expect(stdout).not.toContain('mimic train');
  });

  it.each(Object.keys(COMMANDS))('of %s shows usage, flags, three examples and exit codes', async (name) => {
    const { exitCode, stdout } = await runCli(...name.split(' '), '--help');
    expect(exitCode).toBe(0);
    expect(stdout.startsWith(`mimic ${name}`)).toBe(true);
    const command = await COMMANDS[name]?.load();
    for (const flag of Object.keys(command?.flags ?? {})) expect(stdout).toContain(`--${flag} `);
    for (const [line, what] of command?.examples ?? []) expect(stdout).toContain(`  # ${what}\n  ${line}\n`);
    expect(stdout).toContain('  0    done');
    expect(stdout).toContain('  2    input, configuration or machine');
  });

  it('needs no other flag of the command', async () => {
    expect((await runCli('choose', '--video', 'x.mp4', '-h')).exitCode).toBe(0);
  });
});

describe('mimic --version', () => {
  it('prints the version of the package', async () => {
    expect(await runCli('--version')).toEqual({ exitCode: 0, stdout: `${packageVersion()}\n`, stderr: '' });
  });
});

describe('mimic refuses, with exit code 2', () => {
  it.each([
    ['an unknown command', ['trian'], 'unknown command "trian", did you mean "mimic train"?', 'mimic --help'],
    ['a command like no other', ['frobnicate'], 'unknown command "frobnicate"', 'mimic --help'],
    [
      'a command of the wrong group',
      ['data', 'sinth'],
      'unknown command "data sinth", did you mean "mimic data synth"?',
      'mimic --help',
    ],
    [
      'a group alone',
      ['data'],
      'mimic data needs a command: mimic data synth or mimic data validate or mimic data scan',
      'mimic data --help',
    ],
    ['a name of Object.prototype', ['constructor'], 'unknown command "constructor"', 'mimic --help'],
    ['a flag in front of the command', ['--quiet', 'doctor'], 'unknown command "--quiet"', 'mimic --help'],
    [
      'a misspelt flag',
      ['comment', '--checkpoint', 'c', '--video', 'v', '--temprature', '1'],
      'mimic comment: unknown flag --temprature, did you mean --temperature?',
      'mimic comment --help',
    ],
    ['an unknown short flag', ['doctor', '-x'], 'mimic doctor: unknown flag -x', 'mimic doctor --help'],
    [
      'a negated flag',
      ['doctor', '--no-json'],
      'mimic doctor: unknown flag --no-json, did you mean --json?',
      'mimic doctor --help',
    ],
    [
      'a missing flag',
      ['serve'],
      'mimic serve: --checkpoint is missing: folder of a trained model, such as checkpoints/run/best',
      'mimic serve --help',
    ],
    [
      'a flag without its value',
      ['serve', '--checkpoint'],
      'mimic serve: --checkpoint has no value',
      'mimic serve --help',
    ],
    [
      'a word for a number',
      ['serve', '--checkpoint', 'c', '--port', 'http'],
      'mimic serve: --port: got "http", expected an integer at least 0 and at most 65535',
      'mimic serve --help',
    ],
    [
      'a number out of range',
      ['serve', '--checkpoint', 'c', '--port=70000'],
      'mimic serve: --port: got "70000", expected an integer at least 0 and at most 65535',
      'mimic serve --help',
    ],
    [
      'a fraction for an integer',
      ['demo', '--seed=1.5'],
      'mimic demo: --seed: got "1.5", expected an integer at least 0 and at most 4294967295',
      'mimic demo --help',
    ],
    [
      'a value that is no choice',
      ['demo', '--backend', 'nativ'],
      'mimic demo: --backend: got "nativ", expected one of native, wasm, tfjs-node, tfjs-node-gpu; did you mean native?',
      'mimic demo --help',
    ],
    ['a word too many', ['doctor', 'now'], 'mimic doctor: "now" is one word too many', 'mimic doctor --help'],
    ['a word too few', ['data', 'validate'], 'mimic data validate: FILE is missing', 'mimic data validate --help'],
    [
      'settings for a command without configuration',
      ['serve', '--train.lr=1'],
      'mimic serve: unknown flag --train.lr=1',
      'configuration keys are set with mimic train or mimic config print',
    ],
    [
      'a setting without =',
      ['train', '-c', 'x.yaml', '--train.lr', '1'],
      'mimic train: --train.lr has no value',
      'write --train.lr=VALUE, without spaces',
    ],
    [
      'neither model nor checkpoint',
      ['eval', '--bench', 'b'],
      'mimic eval: either --checkpoint or --model, but neither is given',
      'mimic eval --help',
    ],
    [
      'both model and checkpoint',
      ['eval', '--bench', 'b', '--model', 'random', '--checkpoint', 'c'],
      'mimic eval: either --checkpoint or --model, but both are given',
      'mimic eval --help',
    ],
  ])('%s', async (_, argv, message, hint) => {
    expect(await runCli(...argv)).toEqual({
      exitCode: 2,
      stdout: '',
      stderr: `error E_USAGE: ${message}\n  hint: ${hint}\n`,
    });
  });
});

describe('mimic COMMAND', () => {
  /** Puts a function in place of a command's work and returns what it was called with. */
  async function calledWith(name: string, ...argv: string[]): Promise<unknown[]> {
    const command = await COMMANDS[name]?.load();
    if (command === undefined) throw new Error(name);
    const run = vi.spyOn(command, 'run').mockResolvedValue(0);
    const { stderr } = await runCli(...name.split(' '), ...argv);
    expect(stderr).toBe('');
    expect(run).toHaveBeenCalledOnce();
    return run.mock.calls[0] ?? [];
  }

  it('gives a command its flags, defaults filled in', async () => {
    const [args] = await calledWith(
      'comment',
      '--checkpoint',
      'c',
      '--video',
      'v.mp4',
      '--n',
      '2',
      '--top-p',
      '.5',
      '--seed=3',
      '--seed=4',
    );
    expect(args).toMatchObject({ checkpoint: 'c', video: 'v.mp4', 'top-p': 0.5, seed: 4, n: 2, json: false });
  });

  it('keeps the options of a choice apart, as text', async () => {
    const words = ['--options', '1', 'two words', 'C', '0x10', '--json'];
    const [args] = await calledWith('choose', '--checkpoint', 'c', '--video', 'v', '--question', 'q', ...words);
    expect(args).toMatchObject({ options: ['1', 'two words', 'C', '0x10'], json: true });
  });

  it('hands settings on in order, and the short flag of the file', async () => {
    const [args, invocation] = await calledWith(
      'train',
      '--train.lr=4e-5',
      '-c',
      'a.yaml',
      '--model.lora.targets=[wqkv,wo]',
      '--resume',
    );
    expect(args).toMatchObject({ config: 'a.yaml', resume: true, 'dry-run': false });
    expect(invocation).toEqual({ overrides: ['--train.lr=4e-5', '--model.lora.targets=[wqkv,wo]'], positional: '' });
  });

  it('takes a top-level key of the configuration too, but a flag of its own as the flag', async () => {
    const [args, invocation] = await calledWith(
      'train',
      '--base=weights',
      '--threads=1',
      '-c',
      'a.yaml',
      '--name=again',
    );
    expect(args).toMatchObject({ config: 'a.yaml', threads: 1 });
    expect(invocation).toEqual({ overrides: ['--base=weights', '--name=again'], positional: '' });
  });

  it('hands the file on as typed, also when it looks like a number', async () => {
    const [, invocation] = await calledWith('data validate', '007');
    expect(invocation).toEqual({ overrides: [], positional: '007' });
  });

  it.each([
    ['--debug', 'debug'],
    ['--quiet', 'warn'],
  ])('%s sets the level of messages to %s', async (flag, level) => {
    await calledWith('doctor', flag);
    expect(log.level).toBe(level);
  });
});

describe('an error of a command', () => {
  async function failing(error: unknown, ...flags: string[]): Promise<{ exitCode: number; text: string }> {
    const command = await COMMANDS['doctor']?.load();
    if (command === undefined) throw new Error('doctor');
    vi.spyOn(command, 'run').mockRejectedValue(error);
    let text = '';
    const exitCode = await main(['doctor', ...flags], { out: () => undefined, err: (piece) => (text += piece) });
    return { exitCode, text };
  }

  it('of the user shows code, message and hint, without a stack', async () => {
    const error = new ConfigError('E_SOME_CODE', 'got 3, expected 4', { hint: 'change it' });
    expect(await failing(error)).toEqual({
      exitCode: 2,
      text: 'error E_SOME_CODE: got 3, expected 4\n  hint: change it\n',
    });
  });

  it('of the user shows its stack and its cause with --debug', async () => {
    const { text } = await failing(new ConfigError('E_X', 'outer', { cause: new Error('inner') }), '--debug');
    expect(text).toMatch(/^error E_X: outer\nConfigError: outer\n +at [\s\S]*caused by: Error: inner\n +at /);
  });

  it.each([
    [
      'no known class',
      new TypeError('x is undefined'),
      /^error E_INTERNAL: x is undefined\n {2}hint: this is a bug in mimic-chat.*\nTypeError/,
    ],
    [
      'a wrong shape',
      new ShapeError('E_SHAPE', 'got [2], expected [3]'),
      /^error E_SHAPE: got \[2\], expected \[3\]\n {2}hint: this is a bug/,
    ],
    ['no Error at all', 'thrown text', /^error E_INTERNAL: thrown text\n.*\nthrown text\n$/],
  ])('of %s is internal: exit code 1 with a stack', async (_, error, expected) => {
    const { exitCode, text } = await failing(error);
    expect(exitCode).toBe(1);
    expect(text).toMatch(expected);
  });
});
