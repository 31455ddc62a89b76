import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { Shared } from '../../src/distributed/communicator.js';
import { Peers } from '../../src/distributed/peers.js';
import { SingleProcess } from '../../src/distributed/single-process.js';

/** Rank 0, among others that run where `cards` say. */
class Beside extends SingleProcess {
  override readonly size: number;

  constructor(private readonly cards: readonly { host: string; pid: number | undefined }[]) {
    super();
    this.size = cards.length + 1;
  }

  override allGather(part: Shared, whole: Shared): void {
    if ('address' in part || 'address' in whole) throw new TypeError('arrays only');
    whole.set(part);
    for (const [i, card] of this.cards.entries()) whole.set(Buffer.from(JSON.stringify(card)), (i + 1) * part.length);
  }
}

describe('Peers', () => {
  it('names a process of this machine that is gone, and no other', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
    const exited = once(child, 'exit');
    const host = hostname();
    // Of another machine, and one that cannot be seen from the start: neither can be watched.
    const unseen = { host, pid: 2 ** 22 + 1 };
    const peers = Peers.meet(new Beside([{ host: 'elsewhere', pid: 1 }, unseen, { host, pid: child.pid }]));
    expect(() => peers.checkAlive()).not.toThrow();
    child.kill('SIGKILL');
    await exited;
    expect(() => peers.checkAlive()).toThrow(
      expect.objectContaining({ code: 'E_RANK_DIED', message: `Rank 3 (process ${child.pid} on ${host}) is gone.` }),
    );
  });
});
