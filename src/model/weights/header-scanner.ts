/**
 * Reads the JSON of a safetensors header or a shard index: objects, strings and unsigned integers; other values only to
 * pass over them.
 *
 * JSON.parse does not fit an untrusted header: it keeps the last of duplicate keys in silence, rounds integers above
 * 2^53 and lets a key named `__proto__` reach an object's prototype.
 */

const MAX_DIGITS = 20;
/** Passing over a value calls itself: a hostile one must not end the stack. */
const MAX_DEPTH = 32;

const MAX_LITERAL = 64;
const LITERAL = /^(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/;

export type ScanFault = 'syntax' | 'duplicate';
/** Builds the error to throw; `reason` says what was found and expected. */
export type ScanError = (fault: ScanFault, reason: string) => Error;

export class HeaderScanner {
  private position = 0;

  constructor(
    private readonly text: string,
    private readonly error: ScanError,
  ) {}

  /** Reads `{"key": value, ...}`; `readValue` must read the value of the key it is given. Each key comes once. */
  object(what: string, readValue: (key: string) => void): void {
    const seen = new Set<string>();
    this.expect('{', what);
    if (this.skip('}')) return;
    do {
      const key = this.string(`a key of ${what}`);
      if (seen.has(key)) throw this.error('duplicate', `key ${JSON.stringify(key)} appears twice in ${what}`);
      seen.add(key);
      this.expect(':', `key ${JSON.stringify(key)}`);
      readValue(key);
    } while (this.skip(','));
    this.expect('}', what);
  }

  /** Reads `[1, 2, ...]` of at most `maxCount` integers. */
  integers(what: string, maxCount: number): bigint[] {
    const values: bigint[] = [];
    this.expect('[', what);
    if (this.skip(']')) return values;
    do {
      if (values.length === maxCount) throw this.fail(what, `at most ${maxCount} numbers`);
      values.push(this.integer(what));
    } while (this.skip(','));
    this.expect(']', what);
    return values;
  }

  string(what: string): string {
    this.expect('"', what);
    const start = this.position;
    let escaped = false;
    for (;;) {
      const code = this.text.charCodeAt(this.position);
      if (code === 0x22) break;
      if (Number.isNaN(code) || code < 0x20) throw this.fail(what, 'the end of a string');
      if (code === 0x5c) escaped = true;
      this.position += code === 0x5c ? 2 : 1;
    }
    const raw = this.text.slice(start, this.position);
    this.position++;
    return escaped ? this.unescape(raw, what) : raw;
  }

  /** Passes over one JSON value of any type. Returns its text. */
  passOver(what: string, depth = 0): string {
    this.skipSpace();
    const start = this.position;
    if (depth > MAX_DEPTH) throw this.fail(what, `at most ${MAX_DEPTH} levels`);
    const next = this.text[this.position];
    if (next === '{') this.object(what, () => this.passOver(what, depth + 1));
    else if (next === '"') this.string(what);
    else if (this.skip('[')) {
      if (this.skip(']')) return '[]';
      do this.passOver(what, depth + 1);
      while (this.skip(','));
      this.expect(']', what);
    } else {
      const word = LITERAL.exec(this.text.slice(start, start + MAX_LITERAL))?.[0];
      if (word === undefined) throw this.fail(what, 'a value');
      this.position += word.length;
    }
    return this.text.slice(start, this.position);
  }

  /** Only spaces may follow. */
  end(): void {
    this.skipSpace();
    if (this.position < this.text.length) throw this.fail('the header', 'its end');
  }

  private integer(what: string): bigint {
    this.skipSpace();
    const digits = /^(?:0|[1-9][0-9]*)/.exec(this.text.slice(this.position, this.position + MAX_DIGITS + 1))?.[0];
    if (digits === undefined) throw this.fail(what, 'an integer that is not negative');
    if (digits.length > MAX_DIGITS) throw this.fail(what, `an integer of at most ${MAX_DIGITS} digits`);
    this.position += digits.length;
    return BigInt(digits);
  }

  private unescape(raw: string, what: string): string {
    let value: string;
    try {
      value = JSON.parse(`"${raw}"`) as string;
    } catch (cause) {
      throw this.error('syntax', `${what} holds an invalid escape (${(cause as Error).message})`);
    }
    if (/\p{Surrogate}/u.test(value)) throw this.error('syntax', `${what} holds half of a surrogate pair`);
    return value;
  }

  private expect(symbol: string, what: string): void {
    if (!this.skip(symbol)) throw this.fail(what, `"${symbol}"`);
  }

  private skip(symbol: string): boolean {
    this.skipSpace();
    if (this.text[this.position] !== symbol) return false;
    this.position++;
    return true;
  }

  private skipSpace(): void {
    while (' \t\n\r'.includes(this.text[this.position] ?? 'end')) this.position++;
  }

  private fail(what: string, expected: string): Error {
    const found = this.text.slice(this.position, this.position + 16);
    const got = found === '' ? 'the end of the header' : JSON.stringify(found);
    return this.error('syntax', `${what}: got ${got} at character ${this.position}, expected ${expected}`);
  }
}
