/**
 * Data from a file to the GPU: read into page-locked memory, which the GPU copies while the next piece is read.
 *
 * It has memory of its own: a piece stays taken while a read is under way, and the ring for small writes goes on meanwhile.
 */
import type { FillPiece } from '../device.js';
import { fillPieces } from '../upload-pieces.js';
import type { Context } from './context.js';
import { StreamEvent } from './events.js';
import { PinnedBuffer, type Staging } from './pinned.js';
import type { Stream } from './stream.js';

const PIECE_BYTES = 8 * 2 ** 20;
/** One is read while another is copied, and two reads keep a fast disk busy. */
const PIECES = 3;

interface Piece {
  readonly memory: PinnedBuffer;
  /** The end of the last copy from it. */
  readonly done: StreamEvent;
}

export class StreamUpload {
  private readonly pieces: Piece[] = [];
  private last: Promise<void> = Promise.resolve();

  constructor(
    private readonly context: Context,
    private readonly stream: Stream,
    private readonly staging: Staging,
  ) {}

  /** Uploads run one after another: the pieces belong to one at a time. */
  run(address: number, bytes: number, fill: FillPiece): Promise<void> {
    const result = this.last.then(() => this.copyAll(address, bytes, fill));
    this.last = result.catch(() => undefined);
    return result;
  }

  dispose(): void {
    for (const { memory, done } of this.pieces.splice(0)) {
      memory.dispose();
      done.dispose();
    }
  }

  private copyAll(address: number, bytes: number, fill: FillPiece): Promise<void> {
    return fillPieces({ bytes, pieceBytes: PIECE_BYTES, atOnce: PIECES }, async (offset, size, lane) => {
      // Between two awaits another device may have made its context current.
      this.context.makeCurrent();
      const piece = this.piece(lane);
      piece.done.synchronize();
      await fill(piece.memory.bytes.subarray(0, size), offset);
      this.context.makeCurrent();
      this.staging.queueUpload(address + offset, piece.memory.address, size);
      piece.done.record(this.stream);
    });
  }

  private piece(lane: number): Piece {
    const { driver } = this.context;
    const piece = this.pieces[lane] ?? {
      memory: new PinnedBuffer(driver, PIECE_BYTES),
      done: new StreamEvent(driver, { timing: false }),
    };
    this.pieces[lane] = piece;
    return piece;
  }
}
