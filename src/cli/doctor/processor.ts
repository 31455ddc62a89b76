/** The processor's vector and matrix extensions: what the kernels are compiled for. */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Check } from '../doctor-checks.js';

/** The kernel's names of x86 and Arm features, with what a reader knows them as. */
const EXTENSIONS: readonly (readonly [flag: string, name: string])[] = [
  ['avx2', 'AVX2'],
  ['fma', 'FMA'],
  ['avx512f', 'AVX-512'],
  ['avx512_bf16', 'AVX-512 BF16'],
  ['amx_bf16', 'AMX BF16'],
  ['asimd', 'NEON'],
  ['sve', 'SVE'],
  ['bf16', 'Arm BF16'],
];

/** @param cpuinfo text of /proc/cpuinfo */
export function vectorExtensions(cpuinfo: string): string[] {
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/));
  return EXTENSIONS.filter(([flag]) => flags.has(flag)).map(([, name]) => name);
}

function readCpuinfo(): string | undefined {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return undefined; // not Linux
  }
}

export function checkProcessor(cpuinfo = readCpuinfo(), model = cpus()[0]?.model.trim()): Check {
  const found = cpuinfo === undefined ? [] : vectorExtensions(cpuinfo);
  const known =
    cpuinfo === undefined ? 'extensions unknown on this system' : found.join(', ') || 'no vector extension known';
  return { name: 'CPU', status: 'ok', found: `${model || process.arch}: ${known}` };
}
