const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Binary units: 1536 -> '1.5 KiB'. Three significant digits at least, no trailing zeros. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${Number(value.toFixed(digits))} ${BYTE_UNITS[unit] ?? 'B'}`;
}

const FLOP_UNITS = ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP', 'PFLOP'] as const;

/** Decimal units, three significant digits at least: 878.2e9 -> '878.2 GFLOP'. */
export function formatFlops(flops: number): string {
  const unit = flops < 1 ? 0 : Math.min(FLOP_UNITS.length - 1, Math.floor(Math.log10(flops) / 3));
  const value = flops / 1000 ** unit;
  const digits = unit === 0 ? 0 : value >= 10 ? 1 : 2;
  return `${Number(value.toFixed(digits))} ${FLOP_UNITS[unit] ?? 'FLOP'}`;
}

/** The two largest units that matter: '450 ms', '7.2 s', '3 min 05 s', '2 h 07 min', '4 d 03 h'. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '?';
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const pair = (large: number, largeUnit: string, small: number, smallUnit: string) =>
    `${large} ${largeUnit} ${String(small).padStart(2, '0')} ${smallUnit}`;
  const whole = Math.round(seconds);
  if (whole < 3600) return pair(Math.floor(whole / 60), 'min', whole % 60, 's');
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.floor(minutes / 60);
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}
