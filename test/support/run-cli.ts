import { type MockInstance, vi } from 'vitest';
import { main } from '../../src/cli/main.js';

export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `mimic` in this process and keeps what it wrote. */
export async function runCli(...argv: string[]): Promise<CliResult> {
  const written = { stdout: '', stderr: '' };
  const capture = (name: 'stdout' | 'stderr'): MockInstance =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += String(text);
      return true;
    });
  const spies = [capture('stdout'), capture('stderr')];
  try {
    return { exitCode: await main(argv), ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
