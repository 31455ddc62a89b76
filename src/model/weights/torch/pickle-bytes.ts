/** The arguments of a pickle's opcodes, read in order and within its bounds. */

export class PickleBytes {
  private readonly view: DataView;
  private position = 0;

  /** @param damaged builds the error for bytes that are cut off or no text */
  constructor(
    private readonly bytes: Uint8Array<ArrayBuffer>,
    private readonly damaged: (reason: string) => Error,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get at(): number {
    return this.position;
  }

  get isAtEnd(): boolean {
    return this.position === this.bytes.length;
  }

  /** Passes over bytes. Returns where they start. */
  take(count: number): number {
    const at = this.position;
    if (count > this.bytes.length - at) throw this.damaged(`it is cut off at byte ${at}`);
    this.position += count;
    return at;
  }

  uint8(): number {
    return this.view.getUint8(this.take(1));
  }

  uint16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  int32(): number {
    return this.view.getInt32(this.take(4), true);
  }

  float64(): number {
    return this.view.getFloat64(this.take(8), false);
  }

  uint32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  /** A little-endian integer in two's complement, of at most 8 bytes. */
  long(byteLength: number): number | bigint {
    const at = this.take(byteLength);
    let value = 0n;
    for (let i = byteLength - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[at + i] ?? 0);
    const signed = BigInt.asIntN(8 * byteLength, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  text(byteLength: number): string {
    const at = this.take(byteLength);
    return this.decode(this.bytes.subarray(at, at + byteLength));
  }

  /** Text up to a line end, which is passed over. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) throw this.damaged(`it is cut off at byte ${this.position}`);
    const text = this.decode(this.bytes.subarray(this.position, end));
    this.position = end + 1;
    return text;
  }

  private decode(bytes: Uint8Array): string {
    try {
      return UTF8.decode(bytes);
    } catch {
      throw this.damaged('it holds text that is not UTF-8');
    }
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
