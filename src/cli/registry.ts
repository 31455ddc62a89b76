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
  plan: {
    summary: 'says what a run or a model needs: tokens, memory by part, time; and whether it fits',
    load: async () => (await import('./commands/plan.js')).plan,
  },
  features: {
    summary: "fills the cache of the frozen encoders' features, so that training never decodes a video",
    load: async () => (await import('./commands/features.js')).features,
  },
  train: {
    summary: 'trains a model as a configuration file says',
    load: async () => (await import('./commands/train.js')).train,
  },
  ablate: {
    summary: 'trains the model and its ablations from the same start, and writes the ablation table with intervals',
    load: async () => (await import('./commands/ablate.js')).ablate,
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
  'data scan': {
    summary: 'decodes every video once and lists those that training would refuse',
    load: async () => (await import('./commands/data-scan.js')).dataScan,
  },
  'bench build': {
    summary: 'builds MIMIC-Bench questions from video records',
    load: async () => (await import('./commands/bench-build.js')).benchBuild,
  },
  'weights random': {
    summary: "writes a checkpoint of a published model's names and sizes with random weights",
    load: async () => (await import('./commands/weights-random.js')).weightsRandom,
  },
  'weights inspect': {
    summary: 'says what a file or folder of weights holds: layout, parts, names, shapes',
    load: async () => (await import('./commands/weights-inspect.js')).weightsInspect,
  },
  'weights convert': {
    summary: 'rewrites a checkpoint in other names, another format or another precision',
    load: async () => (await import('./commands/weights-convert.js')).weightsConvert,
  },
  'weights merge': {
    summary: 'merges the LoRA of a checkpoint into its weights, and can prove that nothing else changed',
    load: async () => (await import('./commands/weights-merge.js')).weightsMerge,
  },
  'weights export-peft': {
    summary: 'writes the LoRA of a checkpoint as an adapter that PEFT loads',
    load: async () => (await import('./commands/weights-export-peft.js')).weightsExportPeft,
  },
  'weights import-peft': {
    summary: 'makes a checkpoint of an adapter that was trained with PEFT',
    load: async () => (await import('./commands/weights-import-peft.js')).weightsImportPeft,
  },
};
