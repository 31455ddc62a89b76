/** Resident memory of this process, from /proc; 0 where there is none. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

function statusBytes(field: string): number {
  if (!existsSync('/proc/self/status')) return 0;
  const match = new RegExp(`^${field}:\\s*(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'));
  return match === null ? 0 : Number(match[1]) * 1024;
}

export const currentRssBytes = (): number => statusBytes('VmRSS');
/** The most since the process began, or since `resetPeakRss`. */
export const peakRssBytes = (): number => statusBytes('VmHWM');

/** Starts the high-water mark anew, so that loading a file does not count as training. */
export function resetPeakRss(): void {
  if (existsSync('/proc/self/clear_refs')) writeFileSync('/proc/self/clear_refs', '5');
}
