import { styled, usesColor } from '../../base/terminal.js';
import { defineCommand } from '../command.js';
import type { Check } from '../doctor-checks.js';
import { EXIT_CODE } from '../exit-code.js';
import { JSON_FLAG } from './shared-flags.js';

const STYLE = { ok: 'green', note: 'yellow', missing: 'red', failed: 'red' } as const;

function line({ name, status, found, fix }: Check, color: boolean): string {
  const text = `${styled(status.padEnd(8), STYLE[status], color)}${name.padEnd(26)}${found}`;
  return fix === undefined ? text : `${text}\n${' '.repeat(34)}${fix}`;
}

export const doctor = defineCommand({
  flags: {
    ...JSON_FLAG,
    kernels: {
      type: 'boolean',
      default: false,
      describe: 'also compiles every kernel for each GPU generation and lists registers and spills; takes minutes',
    },
  },
  examples: [
    ['mimic doctor', 'what was found, and how to get what was not'],
    ['mimic doctor && mimic demo', 'runs the demo only on a machine that has all it needs'],
    ['mimic doctor --kernels --json', 'with the compile report, for a bug report'],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ json, kernels }) {
    const checks = await import('../doctor-checks.js');
    const { findCuda } = await import('../doctor/cuda-checks.js');
    const { checkDevices } = await import('../doctor/device-tests.js');
    const { checkKernels } = await import('../doctor/kernel-report.js');
    const { checkMpi } = await import('../doctor/mpi-check.js');
    const { checkProcessor } = await import('../doctor/processor.js');
    const cuda = findCuda();
    const results: Check[] = [
      checks.checkNode(),
      checks.checkMachine(),
      checkProcessor(),
      await checks.checkFfmpeg(),
      await checks.checkCompiler(),
      ...cuda.checks,
      checkMpi(),
      await checks.checkBackend(),
      checks.checkOptionalPackage('@tensorflow/tfjs-node'),
      checks.checkOptionalPackage('@tensorflow/tfjs-node-gpu'),
      ...(await checkDevices(cuda.gpus)),
      ...(kernels ? await checkKernels() : []),
    ];
    const color = usesColor(process.stdout);
    const text = json ? JSON.stringify(results, null, 2) : results.map((check) => line(check, color)).join('\n');
    process.stdout.write(`${text}\n`);
    const has = (wanted: Check['status']) => results.some(({ status }) => status === wanted);
    return has('failed') ? EXIT_CODE.internal : has('missing') ? EXIT_CODE.user : EXIT_CODE.done;
  },
});
