import { styled, usesColor } from '../../base/terminal.js';
import { defineCommand } from '../command.js';
import type { Check } from '../doctor-checks.js';
import { EXIT_CODE } from '../exit-code.js';
import { JSON_FLAG } from './shared-flags.js';

const STYLE = { ok: 'green', note: 'yellow', missing: 'red' } as const;

function line({ name, status, found, fix }: Check, color: boolean): string {
  const text = `${styled(status.padEnd(8), STYLE[status], color)}${name.padEnd(26)}${found}`;
  return fix === undefined ? text : `${text}\n${' '.repeat(34)}${fix}`;
}

export const doctor = defineCommand({
  flags: { ...JSON_FLAG },
  examples: [
    ['mimic doctor', 'what was found, and how to get what was not'],
    ['mimic doctor --json', 'the same, for a script or a bug report'],
    ['mimic doctor && mimic demo', 'runs the demo only on a machine that has all it needs'],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ json }) {
    const checks = await import('../doctor-checks.js');
    const results: Check[] = [
      checks.checkNode(),
      checks.checkMachine(),
      await checks.checkFfmpeg(),
      await checks.checkCompiler(),
      await checks.checkBackend(),
      checks.checkOptionalPackage('@tensorflow/tfjs-node'),
      checks.checkOptionalPackage('@tensorflow/tfjs-node-gpu'),
    ];
    const color = usesColor(process.stdout);
    const text = json ? JSON.stringify(results, null, 2) : results.map((check) => line(check, color)).join('\n');
    process.stdout.write(`${text}\n`);
    return results.some(({ status }) => status === 'missing') ? EXIT_CODE.user : EXIT_CODE.done;
  },
});
