/** Every command: what it is called, what it does in one line, and the file that knows more, loaded when it is used. */
import type { Command } from './command.js';

export interface CommandEntry {
  readonly summary: string;
  load(): Promise<Command>;
}

export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  demo: {
    summary: 'renders a synthetic corpus, trains a tiny model on the CPU, evaluates it and writes a report',
    load: async () => (await import('./commands/demo.js')).demo,
  },
  doctor: {
    summary: 'says what this machine has, what it lacks and how to mend it',
    load: async () => (await import('./commands/doctor.js')).doctor,
  },
  train: {
    summary: 'trains a model as a configuration file says',
    load: async () => (await import('./commands/train.js')).train,
  },
  eval: {
    summary: 'answers a question file and reports accuracy by task',
    load: async () => (await import('./commands/eval.js')).evaluate,
  },
  choose: {
    summary: 'answers one multiple-choice question about a video',
    load: async () => (await import('./commands/choose.js')).choose,
  },
  comment: {
    summary: 'writes comments on a video as a viewer would',
    load: async () => (await import('./commands/comment.js')).comment,
  },
  serve: {
    summary: 'serves a checkpoint over HTTP',
    load: async () => (await import('./commands/serve.js')).serve,
  },
  'config print': {
    summary: 'prints the resolved configuration and where each value came from',
    load: async () => (await import('./commands/config-print.js')).configPrint,
  },
  'data synth': {
    summary: 'renders the synthetic corpus: video files and their records',
    load: async () => (await import('./commands/data-synth.js')).dataSynth,
  },
  'data validate': {
    summary: 'checks a JSONL file of video records line by line',
    load: async () => (await import('./commands/data-validate.js')).dataValidate,
  },
  'bench build': {
    summary: 'builds MIMIC-Bench questions from video records',
    load: async () => (await import('./commands/bench-build.js')).benchBuild,
  },
};
