import { formatBytes } from '../../base/format.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { JSON_FLAG } from './shared-flags.js';

export const weightsInspect = defineCommand({
  positional: 'PATH',
  flags: { ...JSON_FLAG },
  examples: [
    [
      'mimic weights inspect weights/InternVL2_5-8B',
      'format, layout, parts, names and shapes of a published checkpoint',
    ],
    ['mimic weights inspect pytorch_model.bin', "one file; a pickle's code is never run"],
    ['mimic weights inspect checkpoints/run/best --json', 'what was trained, for a script'],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ json }, { positional: path }) {
    const { inspectWeights } = await import('../../adapters/inspect.js');
    const { formatTable } = await import('../../infer/format-table.js');
    const report = await inspectWeights(path);
    if (json) {
      process.stdout.write(`${JSON.stringify(report)}\n`);
      return EXIT_CODE.done;
    }
    const count = (value: number) => value.toLocaleString('en-US');
    const tallies = (what: string, rows: typeof report.parts) =>
      formatTable(
        [what, 'tensors', 'parameters', 'size'],
        rows.map((row) => [row.name, count(row.tensors), count(row.parameters), formatBytes(row.bytes)]),
      );
    const names = report.patterns.map(({ name, layers, dtype, shape }) => [
      name,
      layers,
      dtype,
      `[${shape.join(', ')}]`,
    ]);
    const metadata = Object.entries(report.metadata).map(([key, value]) => `${key} ${value}`);
    const lines = [
      `${report.path}: ${report.format}, ${count(report.tensors)} tensors, ${count(report.parameters)} parameters, ${formatBytes(report.bytes)}`,
      `layout: ${report.layout}`,
      ...report.companions,
      ...(metadata.length > 0 ? [`metadata: ${metadata.join(', ')}`] : []),
      ...report.notes.map((note) => `note: ${note}`),
    ];
    const tables = [tallies('part', report.parts), tallies('dtype', report.dtypes)];
    const table = formatTable(['name', 'layers', 'dtype', 'shape'], names);
    process.stdout.write(`${[lines.join('\n'), ...tables, table].join('\n\n')}\n`);
    return EXIT_CODE.done;
  },
});
