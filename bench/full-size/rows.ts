/** Results as rows; `ratio` is above 1 where ours is better. */
import type { Plan } from '../../src/plan/plan.js';
import { type Row, row } from '../report.js';
import type { SideResult } from './sides.js';

const PEER = 'PyTorch + transformers';
const GIB = 2 ** 30;

const at = ({ seconds }: SideResult, ...stages: string[]) =>
  stages.reduce((sum, name) => sum + (seconds[name] ?? 0), 0);

/** Their prefill takes the visual tokens and the question at once, ours one after the other; their vision includes the projector. */
export function besidePeer(name: string, ours: SideResult, peer: SideResult): Row[] {
  const pair = (what: string, ourStages: string[], peerStages: string[]) =>
    row('lower', {
      ...{ name: `${name}: ${what}`, unit: 's', peerName: PEER },
      ours: at(ours, ...ourStages),
      peer: at(peer, ...peerStages),
    });
  const note = 'files may lie in the page cache of either side';
  return [
    { ...pair('load', ['load'], ['load']), note },
    pair('8 frames through the spatial encoder', ['spatial encoder'], ['vision']),
    pair(`${ours.tokens} tokens to the answer`, ['prefill', 'answer'], ['prefill']),
    pair('frames to answer', ['spatial encoder', 'prefill', 'answer'], ['vision', 'prefill']),
  ];
}

export function memoryRow(name: string, ours: SideResult, peer: SideResult): Row {
  return row('lower', {
    ...{ name: `${name}: peak resident memory`, unit: 'GiB', peerName: PEER },
    ours: ours.peakBytes / GIB,
    peer: peer.peakBytes / GIB,
  });
}

/** Where nobody else runs: the goal of 22 GiB, and the stages in a note. */
export function ownStages(name: string, ours: SideResult): Row[] {
  const stages = Object.entries(ours.seconds).map(([stage, seconds]) => `${stage} ${seconds.toFixed(1)} s`);
  return [
    row('lower', {
      ...{ name: `${name}: peak resident memory`, unit: 'GiB', peerName: 'goal', note: stages.join(', ') },
      ours: ours.peakBytes / GIB,
      peer: 22,
    }),
  ];
}

/** Here the ratio is prediction to measurement, best at 1. */
export function planRow(name: string, plan: Plan, measuredBytes: number): Row {
  return row('higher', {
    ...{ name: `${name}: memory as planned`, unit: 'GiB', peerName: 'measured' },
    ours: plan.memory.totalBytes / GIB,
    peer: measuredBytes / GIB,
  });
}
