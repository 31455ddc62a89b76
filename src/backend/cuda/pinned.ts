/**
 * Copies between JavaScript's memory and the GPU's, through page-locked memory that the GPU reads by itself.
 *
 * The staging memory is a ring of slots: while the GPU copies one, this thread fills the next. Small writes share a slot
 * and return without waiting for the GPU.
 */
import { view } from 'koffi';
import type { HostArray } from '../device.js';
import type { Driver } from './driver.js';
import { StreamEvent } from './events.js';
import { OutValue } from './prototype.js';
import type { Stream } from './stream.js';

const SLOTS = 4;
const SLOT_BYTES = 4 * 2 ** 20;
const ALIGNMENT = 64;

/** Page-locked host memory. It is mapped into every context. */
export class PinnedBuffer {
  readonly address: number;
  readonly bytes: Uint8Array;

  constructor(
    private readonly driver: Driver,
    size: number,
  ) {
    const out = new OutValue();
    driver.check(driver.calls.cuMemHostAlloc(out.bytes, size, 0), 'cuMemHostAlloc', `pinning ${size} bytes`);
    this.address = out.uint64;
    this.bytes = new Uint8Array(view(out.bytes.readBigUInt64LE(), size));
  }

  dispose(): void {
    this.driver.check(this.driver.calls.cuMemFreeHost(this.address), 'cuMemFreeHost', 'freeing pinned memory');
  }
}

interface Slot {
  readonly memory: PinnedBuffer;
  /** The end of the last copy that uses the slot. */
  readonly done: StreamEvent;
}

export function bytesOf(values: HostArray): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

export class Staging {
  private readonly slots: Slot[] = [];
  private slotIndex = SLOTS - 1;
  private used = 0;

  constructor(
    private readonly driver: Driver,
    private readonly stream: Stream,
  ) {}

  /** Queues the copy of `values`; they may be changed as soon as this returns. */
  upload(address: number, values: HostArray): void {
    const source = bytesOf(values);
    for (let offset = 0; offset < source.length; ) {
      const size = Math.min(source.length - offset, SLOT_BYTES);
      const { slot, at } = this.reserve(size);
      slot.memory.bytes.set(source.subarray(offset, offset + size), at);
      this.queueUpload(address + offset, slot.memory.address + at, size);
      slot.done.record(this.stream);
      offset += size;
    }
  }

  /** Fills `into` after all queued work: the copy of one slot to JavaScript overlaps with the GPU's copy of the next. */
  download(address: number, into: HostArray): void {
    const target = bytesOf(into);
    const pending: { slot: Slot; offset: number; size: number }[] = [];
    const finish = () => {
      const copy = pending.shift();
      if (copy === undefined) return;
      copy.slot.done.synchronize();
      target.set(copy.slot.memory.bytes.subarray(0, copy.size), copy.offset);
    };
    for (let offset = 0; offset < target.length; ) {
      const size = Math.min(target.length - offset, SLOT_BYTES);
      if (pending.length === SLOTS) finish();
      const slot = this.nextSlot();
      const { calls } = this.driver;
      const status = calls.cuMemcpyDtoHAsync_v2(slot.memory.address, address + offset, size, this.stream.handle);
      if (status !== 0) throw this.driver.error(status, 'cuMemcpyDtoHAsync', `reading ${size} bytes at ${address}`);
      slot.done.record(this.stream);
      pending.push({ slot, offset, size });
      offset += size;
    }
    while (pending.length > 0) finish();
  }

  /** Queues a copy from page-locked memory that stays as it is until the copy is done. */
  queueUpload(address: number, pinnedAddress: number, size: number): void {
    const status = this.driver.calls.cuMemcpyHtoDAsync_v2(address, pinnedAddress, size, this.stream.handle);
    if (status !== 0) throw this.driver.error(status, 'cuMemcpyHtoDAsync', `writing ${size} bytes to ${address}`);
  }

  dispose(): void {
    for (const { memory, done } of this.slots.splice(0)) {
      memory.dispose();
      done.dispose();
    }
  }

  /** Room for `size` bytes: behind what the current slot holds, or in the next slot once its copies are done. */
  private reserve(size: number): { slot: Slot; at: number } {
    const current = this.slots[this.slotIndex];
    if (current !== undefined && this.used > 0 && this.used + size <= SLOT_BYTES) {
      const at = this.used;
      this.used += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
      return { slot: current, at };
    }
    const slot = this.nextSlot();
    this.used = Math.ceil(size / ALIGNMENT) * ALIGNMENT;
    return { slot, at: 0 };
  }

  private nextSlot(): Slot {
    this.slotIndex = (this.slotIndex + 1) % SLOTS;
    this.used = SLOT_BYTES;
    let slot = this.slots[this.slotIndex];
    if (slot === undefined) {
      const memory = new PinnedBuffer(this.driver, SLOT_BYTES);
      slot = { memory, done: new StreamEvent(this.driver, { timing: false }) };
      this.slots[this.slotIndex] = slot;
    } else {
      slot.done.synchronize();
    }
    return slot;
  }
}
