/** A plan for a person. */
import { formatBytes, formatDuration, formatFlops } from '../base/format.js';
import type { Plan } from './plan.js';

const LABEL_WIDTH = 34;
const VALUE_WIDTH = 12;

function line(label: string, value: string, note = ''): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${value.padStart(VALUE_WIDTH)}${note === '' ? '' : `  ${note}`}`;
}

function bytes(label: string, value: number | undefined, note = ''): string[] {
  return value === undefined ? [] : [line(label, formatBytes(value), note)];
}

const grouped = (count: number): string => Math.round(count).toLocaleString('en-US');

export function formatPlan(plan: Plan): string {
  const { kind, source, precision, device, fits, memory } = plan;
  const { totalBytes, availableBytes } = memory;
  const room = availableBytes === undefined ? '' : ` of ${formatBytes(availableBytes)}`;
  const verdict = fits ? 'fits' : 'does not fit';
  return [
    `${kind} of ${source} in ${precision} on ${device}`,
    ...tokenLines(plan),
    ...partLines(plan),
    ...memoryLines(plan),
    ...phaseLines(plan),
    ...trainingLines(plan),
    `${verdict}: ${formatBytes(totalBytes)}${room}, ${grouped(plan.tokens.total)} of ${grouped(plan.tokens.limit)} tokens`,
  ].join('\n');
}

function tokenLines({ tokens }: Plan): string[] {
  const { spatial, temporal, text, total, limit } = tokens;
  return [
    'tokens of a sample',
    line('visual, spatial', grouped(spatial)),
    line('visual, temporal', grouped(temporal)),
    line('text', grouped(text)),
    line('sum', grouped(total), `limit ${grouped(limit)}`),
  ];
}

function partLines({ parts }: Plan): string[] {
  const rows = parts.map(({ part, parameters, trained, bytes: size }) =>
    line(part, formatBytes(size), `${grouped(parameters)} parameters${trained > 0 ? ', trained' : ''}`),
  );
  return ['weights', ...rows];
}

function memoryLines({ memory, device }: Plan): string[] {
  const own = device === 'cpu' ? '' : 'of the host, not of the GPU';
  return [
    'memory',
    ...bytes('weights', memory.weightBytes, device === 'cpu' ? 'a token table stays in its file where it can' : ''),
    ...bytes('keys and values', memory.kvCacheBytes, 'of one prompt, with room to grow'),
    ...bytes('gradients', memory.gradientBytes),
    ...bytes('optimizer', memory.optimizerBytes),
    ...bytes('device memory at its highest', memory.deviceBytes, 'all of the above, activations and reuse'),
    ...bytes('features kept', memory.featureCacheBytes, 'train.featureCacheMiB, at most'),
    ...bytes('process', memory.processBytes, own),
    ...bytes('total', memory.totalBytes),
  ];
}

function phaseLines({ phases, flopsPerSec }: Plan): string[] {
  const rows = phases.map(({ name, peakBytes, flops, seconds }) => {
    const time = seconds === undefined ? '' : `, at least ${formatDuration(seconds)}`;
    return line(name, formatBytes(peakBytes), `${formatFlops(flops)}${time}`);
  });
  const speed =
    flopsPerSec === undefined ? '' : `; matrix products run at ${(flopsPerSec / 1e9).toFixed(0)} GFLOP/s here`;
  return [`stages, with their memory beside the weights${speed}`, ...rows];
}

function trainingLines({ training }: Plan): string[] {
  if (training === undefined) return [];
  const { videosPerStep, gradientCheckpointing, otherwiseDeviceBytes, steps, secondsPerStep } = training;
  const other = `train.gradientCheckpointing=${!gradientCheckpointing}`;
  const lines = [
    'training',
    line('videos in an optimizer step', grouped(videosPerStep)),
    line('device memory otherwise', formatBytes(otherwiseDeviceBytes), `with --${other}`),
  ];
  if (steps !== undefined) lines.push(line('optimizer steps', grouped(steps)));
  if (secondsPerStep !== undefined) {
    lines.push(line('time of a step, at least', formatDuration(secondsPerStep), 'from features that are known'));
    if (steps !== undefined) lines.push(line('time of all steps, at least', formatDuration(steps * secondsPerStep)));
  }
  return lines;
}
