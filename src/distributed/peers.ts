import { hostname } from 'node:os';
import { BackendError } from '../base/errors.js';
import type { Communicator } from './communicator.js';

const CARD_BYTES = 256;

interface Peer {
  readonly rank: number;
  readonly host: string;
  readonly pid: number;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The ranks on this machine, watched while one waits for them: not every launcher ends the others when one dies. */
export class Peers {
  private constructor(private readonly local: readonly Peer[]) {}

  /** A collective: every rank tells where it runs. */
  static meet(communicator: Communicator): Peers {
    const host = hostname().slice(0, CARD_BYTES / 2);
    const cards = Buffer.alloc(CARD_BYTES * communicator.size);
    const card = Buffer.alloc(CARD_BYTES);
    card.write(JSON.stringify({ host, pid: process.pid }));
    communicator.allGather(card, cards);
    const peers = Array.from({ length: communicator.size }, (_, rank): Peer => {
      const text = cards.toString('utf8', rank * CARD_BYTES, (rank + 1) * CARD_BYTES).replace(/\0+$/, '');
      return { rank, ...(JSON.parse(text) as Omit<Peer, 'rank'>) };
    });
    // In containers of one host name a number may mean nothing here: who cannot be seen now is not watched.
    return new Peers(
      peers.filter((peer) => peer.host === host && peer.rank !== communicator.rank && isAlive(peer.pid)),
    );
  }

  /** @throws BackendError E_RANK_DIED */
  checkAlive(): void {
    const dead = this.local.find(({ pid }) => !isAlive(pid));
    if (dead === undefined) return;
    throw new BackendError('E_RANK_DIED', `Rank ${dead.rank} (process ${dead.pid} on ${dead.host}) is gone.`, {
      hint: 'See its last lines above; the last checkpoint is intact, and --resume goes on from it.',
    });
  }
}
