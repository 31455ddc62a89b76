import { afterAll, describe, expect, it } from 'vitest';
import { fetched, openCuda } from './devices.js';

const device = await openCuda();
afterAll(() => device.dispose());

/** More than the three pieces of 8 MiB, and no multiple of one. */
const LARGE = 29 * 2 ** 20 + 12;
const byteAt = (offset: number) => (offset * 31 + (offset >> 13)) & 0xff;

const fillWith = (first: number) => async (piece: Uint8Array, offset: number) => {
  await new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < piece.length; i++) piece[i] = byteAt(first + offset + i);
};

function firstWrong(bytes: Uint8Array, first: number): number {
  return bytes.findIndex((byte, i) => byte !== byteAt(first + i));
}

describe('data that is streamed to the GPU', () => {
  it('arrives in place, read and copied in pieces', async () => {
    const address = device.alloc(LARGE);
    let largest = 0;
    await device.writePieces(address, LARGE, async (piece, offset) => {
      largest = Math.max(largest, piece.length);
      await fillWith(0)(piece, offset);
    });
    expect(largest).toBe(8 * 2 ** 20);
    expect(firstWrong(fetched(device, address, new Uint8Array(LARGE)), 0)).toBe(-1);
    device.free(address, LARGE);
  });

  it('does not mix with another stream, nor with writes in between', async () => {
    const size = 9 * 2 ** 20;
    const [a, b, c] = [device.alloc(size), device.alloc(size), device.alloc(12)];
    const both = [device.writePieces(a, size, fillWith(5)), device.writePieces(b, size, fillWith(77))];
    device.write(c, Float32Array.of(1, 2, 3));
    await Promise.all(both);
    expect(firstWrong(fetched(device, a, new Uint8Array(size)), 5)).toBe(-1);
    expect(firstWrong(fetched(device, b, new Uint8Array(size)), 77)).toBe(-1);
    expect([...fetched(device, c, new Float32Array(3))]).toEqual([1, 2, 3]);
  });

  it('rejects with the first error, when no read is under way, and works afterwards', async () => {
    const address = device.alloc(LARGE);
    let underWay = 0;
    const failing = device.writePieces(address, LARGE, async (piece, offset) => {
      underWay++;
      await fillWith(0)(piece, offset);
      underWay--;
      if (offset > 0) throw new Error(`no byte ${offset}`);
    });
    await expect(failing).rejects.toThrow(`no byte ${8 * 2 ** 20}`);
    expect(underWay).toBe(0);
    await device.writePieces(address, LARGE, fillWith(3));
    expect(firstWrong(fetched(device, address, new Uint8Array(LARGE)), 3)).toBe(-1);
    device.free(address, LARGE);
  });

  it('is nothing for no bytes, and refused inside a recording', async () => {
    await device.writePieces(0, 0, async () => {
      throw new Error('called');
    });
    const x = device.alloc(4);
    let refused: Promise<unknown> = Promise.resolve();
    device
      .record(() => {
        refused = device.writePieces(x, 4, fillWith(0)).catch((error: unknown) => error);
        device.launch('fill', x, 1, 0);
      })
      .dispose();
    expect(await refused).toMatchObject({ code: 'E_RECORDING' });
  });
});
