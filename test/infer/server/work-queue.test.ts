import { describe, expect, it } from 'vitest';
import { RequestError } from '../../../src/base/errors.js';
import { WorkQueue } from '../../../src/infer/server/work-queue.js';

const never = new AbortController().signal;

/** A task that runs until it is told to end. */
function heldTask<T>(value: T) {
  let end = () => {};
  let started = false;
  const done = new Promise<T>((resolve) => {
    end = () => resolve(value);
  });
  const task = () => {
    started = true;
    return done;
  };
  return { task, end: () => end(), isStarted: () => started };
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('WorkQueue.run', () => {
  it('runs one task at a time, in order', async () => {
    const queue = new WorkQueue(4);
    const [a, b, c] = [heldTask('a'), heldTask('b'), heldTask('c')];
    const results = [a, b, c].map(({ task }) => queue.run(task, never));
    await settle();
    expect([a, b, c].map((task) => task.isStarted())).toEqual([true, false, false]);
    a.end();
    await settle();
    expect([b, c].map((task) => task.isStarted())).toEqual([true, false]);
    b.end();
    c.end();
    expect(await Promise.all(results)).toEqual(['a', 'b', 'c']);
  });

  it('goes on after a task that failed', async () => {
    const queue = new WorkQueue(4);
    const failing = queue.run(() => Promise.reject(new Error('broken video')), never);
    const next = queue.run(async () => 'fine', never);
    await expect(failing).rejects.toThrow('broken video');
    expect(await next).toBe('fine');
  });

  it('rejects a waiting task at once when it is aborted, never starts it, and keeps one at a time', async () => {
    const queue = new WorkQueue(4);
    const [first, aborted, last] = [heldTask(1), heldTask(2), heldTask(3)];
    const controller = new AbortController();
    const running = queue.run(first.task, never);
    const waiting = queue.run(aborted.task, controller.signal);
    const third = queue.run(last.task, never);
    controller.abort(new Error('left'));
    await expect(waiting).rejects.toThrow('left');
    await settle();
    expect([aborted.isStarted(), last.isStarted()]).toEqual([false, false]);
    first.end();
    last.end();
    expect([await running, await third]).toEqual([1, 3]);
    expect(aborted.isStarted()).toBe(false);
  });

  it('does not start what is aborted already', async () => {
    const queue = new WorkQueue(4);
    await expect(queue.run(async () => 1, AbortSignal.abort(new Error('late')))).rejects.toThrow('late');
    expect(await queue.run(async () => 2, never)).toBe(2);
  });
});

describe('WorkQueue.admit', () => {
  it('holds one running and `size` waiting requests, then answers 429 with a time to come back', () => {
    const queue = new WorkQueue(2);
    const release = [queue.admit(), queue.admit(), queue.admit()];
    let refused: unknown;
    try {
      queue.admit();
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(RequestError);
    expect(refused).toMatchObject({ status: 429, code: 'E_QUEUE_FULL', context: { retryAfterSec: 3 } });
    release[0]?.();
    release[0]?.(); // twice gives one place back
    queue.admit();
    expect(() => queue.admit()).toThrow('3 requests are waiting, the most this server holds');
  });

  it('answers 503 while draining, and drains when the last request is answered', async () => {
    const queue = new WorkQueue(2);
    const release = queue.admit();
    let isEmpty = false;
    const drained = queue.drain().then(() => {
      isEmpty = true;
    });
    expect(() => queue.admit()).toThrow('the server is shutting down');
    await settle();
    expect(isEmpty).toBe(false);
    release();
    await drained;
  });
});
