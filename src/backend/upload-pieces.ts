/** Runs a copy in pieces, a few at once, without leaving one under way behind an error. */

export interface Pieces {
  readonly bytes: number;
  readonly pieceBytes: number;
  readonly atOnce: number;
}

/**
 * Calls `copy` for consecutive pieces, in order, at most `atOnce` under way; `lane`, below `atOnce`, is used by one of
 * them at a time. Rejects with the first error once all are over.
 */
export async function fillPieces(
  { bytes, pieceBytes, atOnce }: Pieces,
  copy: (offset: number, size: number, lane: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const errors: unknown[] = [];
  const run = async (lane: number) => {
    while (next < bytes && errors.length === 0) {
      const offset = next;
      next += pieceBytes;
      try {
        await copy(offset, Math.min(pieceBytes, bytes - offset), lane);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, (_, lane) => run(lane)));
  if (errors.length > 0) throw errors[0];
}
