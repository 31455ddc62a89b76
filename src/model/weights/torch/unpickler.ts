/**
 * Reads a pickle without running it: a stack machine over the few opcodes that torch.save writes for dictionaries of
 * tensors. Python's own reader looks up any global and calls it; here a global is a name, and the only "calls" are those
 * that {@link PickleRules} describes as data.
 *
 * @source CPython's pickletools (opcodes and their arguments)
 */
import { CheckpointError } from '../../../base/errors.js';
import { PickleBytes } from './pickle-bytes.js';
import {
  clipped,
  kindOf,
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleTuple,
  type PickleValue,
  quoted,
} from './pickle-values.js';

/** What the globals and persistent ids of one kind of pickle mean. */
export interface PickleRules {
  /** Whether a global of that name may appear. */
  allows(global: PickleGlobal): boolean;
  /** The value that calling `callee` would give; `fail` builds the error for arguments that do not fit. */
  reduce(callee: PickleGlobal, args: readonly PickleValue[], fail: (reason: string) => Error): PickleValue;
  persistent(id: PickleValue, fail: (reason: string) => Error): PickleValue;
}

/** An opcode of one byte may make an object of hundreds: these bound the memory. A tensor takes about 8 of each. */
const MAX_STACK = 1_000_000;
const MAX_MEMO = 1_000_000;
const MAX_OBJECTS = 1_000_000;
const MAX_PROTOCOL = 5;
const MAX_LONG_BYTES = 8;
const CONVERT =
  "If you trust the file, convert it where PyTorch is: torch.save({'state_dict': its tensors alone}, ...), or safetensors.torch.save_file.";

/** Opcodes that run or import something, by name, for the message; every other unknown one is named by its byte. */
const REFUSED: Readonly<Record<number, string>> = {
  105: 'INST',
  111: 'OBJ',
  80: 'PERSID',
  129: 'NEWOBJ',
  130: 'EXT1',
  131: 'EXT2',
  132: 'EXT4',
  146: 'NEWOBJ_EX',
  151: 'NEXT_BUFFER',
};

/**
 * @param path for messages
 * @throws CheckpointError E_PICKLE_GLOBAL for a class or function that is not allowed, E_PICKLE_OPCODE, E_PICKLE_DAMAGED,
 *   E_PICKLE_LIMIT
 */
export function unpickle(path: string, bytes: Uint8Array<ArrayBuffer>, rules: PickleRules): PickleValue {
  return new Unpickler(path, bytes, rules).run();
}

class Unpickler {
  /** By opcode, with its name in pickletools. */
  private static readonly steps: Readonly<Record<number, (p: Unpickler) => void>> = {
    128: (p) => p.protocol(p.bytes.uint8()), // PROTO
    149: (p) => p.bytes.take(8), // FRAME: the length of what follows, which this reader has in memory anyway
    40: (p) => p.mark(), // MARK
    78: (p) => p.push(null), // NONE
    136: (p) => p.push(true), // NEWTRUE
    137: (p) => p.push(false), // NEWFALSE
    75: (p) => p.push(p.bytes.uint8()), // BININT1
    77: (p) => p.push(p.bytes.uint16()), // BININT2
    74: (p) => p.push(p.bytes.int32()), // BININT
    138: (p) => p.long(p.bytes.uint8()), // LONG1
    71: (p) => p.push(p.bytes.float64()), // BINFLOAT
    140: (p) => p.push(p.bytes.text(p.bytes.uint8())), // SHORT_BINUNICODE
    88: (p) => p.push(p.bytes.text(p.bytes.uint32())), // BINUNICODE
    125: (p) => p.push(new PickleDict()), // EMPTY_DICT
    93: (p) => p.push(new PickleList()), // EMPTY_LIST
    41: (p) => p.push(new PickleTuple([])), // EMPTY_TUPLE
    133: (p) => p.push(new PickleTuple([p.pop()])), // TUPLE1
    134: (p) => p.tuple(2), // TUPLE2
    135: (p) => p.tuple(3), // TUPLE3
    116: (p) => p.push(new PickleTuple(p.popToMark())), // TUPLE
    97: (p) => p.append([p.pop()]), // APPEND
    101: (p) => p.append(p.popToMark()), // APPENDS
    115: (p) => p.setSingle(), // SETITEM
    117: (p) => p.setItems(p.popToMark()), // SETITEMS
    113: (p) => p.put(p.bytes.uint8()), // BINPUT
    114: (p) => p.put(p.bytes.uint32()), // LONG_BINPUT
    148: (p) => p.put(p.memo.size), // MEMOIZE
    104: (p) => p.get(p.bytes.uint8()), // BINGET
    106: (p) => p.get(p.bytes.uint32()), // LONG_BINGET
    99: (p) => p.global(p.bytes.line(), p.bytes.line()), // GLOBAL
    147: (p) => p.stackGlobal(), // STACK_GLOBAL
    82: (p) => p.reduce(), // REDUCE
    98: (p) => p.build(), // BUILD
    81: (p) => p.push(p.rules.persistent(p.pop(), (reason) => p.damaged(reason))), // BINPERSID
  };

  private readonly stack: PickleValue[] = [];
  /** Heights of the stack at each MARK. */
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, PickleValue>();
  private readonly bytes: PickleBytes;
  private objects = 0;

  constructor(
    private readonly path: string,
    bytes: Uint8Array<ArrayBuffer>,
    private readonly rules: PickleRules,
  ) {
    this.bytes = new PickleBytes(bytes, (reason) => this.damaged(reason));
  }

  run(): PickleValue {
    for (;;) {
      const opcode = this.bytes.uint8();
      if (opcode === 0x2e) break;
      const step = Object.hasOwn(Unpickler.steps, opcode) ? Unpickler.steps[opcode] : undefined;
      if (step === undefined) throw this.refused(opcode);
      step(this);
      if (this.stack.length > MAX_STACK) throw this.limit(`more than ${MAX_STACK} values on the stack`);
    }
    const result = this.pop();
    if (this.stack.length > 0 || this.marks.length > 0) throw this.damaged('values are left on the stack');
    if (!this.bytes.isAtEnd) throw this.damaged('bytes follow its end');
    return result;
  }

  private protocol(version: number): void {
    if (version > MAX_PROTOCOL) throw this.damaged(`protocol ${version}, expected at most ${MAX_PROTOCOL}`);
  }

  private push(value: PickleValue): void {
    if (typeof value === 'object') this.objects++;
    if (this.objects > MAX_OBJECTS) throw this.limit(`more than ${MAX_OBJECTS} objects`);
    this.stack.push(value);
  }

  private long(byteLength: number): void {
    if (byteLength > MAX_LONG_BYTES) throw this.limit(`an integer of ${byteLength} bytes`);
    this.push(this.bytes.long(byteLength));
  }

  private mark(): void {
    this.marks.push(this.stack.length);
    if (this.marks.length > MAX_STACK) throw this.limit(`more than ${MAX_STACK} open groups`);
  }

  private pop(): PickleValue {
    const floor = this.marks.at(-1) ?? 0;
    const value = this.stack.length > floor ? this.stack.pop() : undefined;
    if (value === undefined) throw this.damaged('it takes a value from an empty stack');
    return value;
  }

  private top(): PickleValue {
    const value = this.stack.at(-1);
    if (value === undefined) throw this.damaged('it needs a value on an empty stack');
    return value;
  }

  private popToMark(): PickleValue[] {
    const mark = this.marks.pop();
    if (mark === undefined) throw this.damaged('it closes a group that was not opened');
    return this.stack.splice(mark);
  }

  private tuple(count: number): void {
    const items = Array.from({ length: count }, () => this.pop());
    this.push(new PickleTuple(items.reverse()));
  }

  private append(items: readonly PickleValue[]): void {
    const list = this.top();
    if (!(list instanceof PickleList)) throw this.damaged(`it appends to a ${kindOf(list)}`);
    for (const item of items) list.items.push(item);
  }

  private setSingle(): void {
    const value = this.pop();
    this.setItems([this.pop(), value]);
  }

  private setItems(items: readonly PickleValue[]): void {
    const dict = this.top();
    if (!(dict instanceof PickleDict)) throw this.damaged(`it sets items of a ${kindOf(dict)}`);
    if (items.length % 2 !== 0) throw this.damaged('it sets a key without a value');
    for (let i = 0; i < items.length; i += 2) {
      const [key = null, value = null] = [items[i], items[i + 1]];
      if (key instanceof PickleList || key instanceof PickleDict) throw this.damaged(`a ${kindOf(key)} is a key`);
      if (dict.entries.has(key)) throw this.damaged(`key ${quoted(String(key))} appears twice in a dict`);
      dict.entries.set(key, value);
    }
  }

  private put(index: number): void {
    this.memo.set(index, this.top());
    if (this.memo.size > MAX_MEMO) throw this.limit(`more than ${MAX_MEMO} values to remember`);
  }

  private get(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw this.damaged(`it recalls value ${index}, which was not remembered`);
    this.stack.push(value);
  }

  private stackGlobal(): void {
    const name = this.pop();
    const module = this.pop();
    if (typeof module !== 'string' || typeof name !== 'string') throw this.damaged('a global has no name');
    this.global(module, name);
  }

  private global(module: string, name: string): void {
    const global = new PickleGlobal(module, name);
    if (!this.rules.allows(global)) {
      const message = `${this.path}: its pickle names ${quoted(global.path)}, which is not part of a plain dict of tensors; nothing of it was run.`;
      throw new CheckpointError('E_PICKLE_GLOBAL', message, {
        hint: CONVERT,
        context: { module: clipped(module), name: clipped(name) },
      });
    }
    this.push(global);
  }

  private reduce(): void {
    const args = this.pop();
    const callee = this.pop();
    if (!(callee instanceof PickleGlobal) || !(args instanceof PickleTuple)) {
      throw this.damaged(`it calls a ${kindOf(callee)}`);
    }
    this.push(this.rules.reduce(callee, args.items, (reason) => this.damaged(reason)));
  }

  /** Attributes of an OrderedDict (`_metadata` of a module's state): they say nothing about the weights. */
  private build(): void {
    const state = this.pop();
    const target = this.top();
    if (!(target instanceof PickleDict) || !(state instanceof PickleDict)) {
      throw this.damaged(`it sets attributes of a ${kindOf(target)}`);
    }
  }

  private refused(opcode: number): CheckpointError {
    const name = REFUSED[opcode] ?? `0x${opcode.toString(16)}`;
    const message = `${this.path}: its pickle uses opcode ${name} at byte ${this.bytes.at - 1}, which no plain dict of tensors needs.`;
    return new CheckpointError('E_PICKLE_OPCODE', message, { hint: CONVERT });
  }

  private damaged(reason: string): CheckpointError {
    const hint = 'Download the file again, or save it again with torch.save.';
    return new CheckpointError('E_PICKLE_DAMAGED', `${this.path}: invalid pickle: ${reason}.`, { hint });
  }

  private limit(reason: string): CheckpointError {
    return new CheckpointError('E_PICKLE_LIMIT', `${this.path}: its pickle has ${reason}.`, { hint: CONVERT });
  }
}
