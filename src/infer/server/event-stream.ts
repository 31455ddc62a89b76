import { once } from 'node:events';
import type { FastifyReply } from 'fastify';

/** Server-sent events; the answer's head goes out with the first event, so earlier errors keep their status. */
export class EventStream {
  private opened = false;

  constructor(private readonly reply: FastifyReply) {}

  get isOpen(): boolean {
    return this.opened;
  }

  /** Sends one event and waits while the client reads slower than the model writes. */
  async send(data: unknown, event?: string): Promise<void> {
    const response = this.reply.raw;
    if (!this.opened) {
      this.opened = true;
      this.reply.hijack();
      const headers = {
        ...this.reply.getHeaders(),
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
      };
      for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value);
    }
    if (response.destroyed) return;
    const name = event === undefined ? '' : `event: ${event}\n`;
    // JSON escapes newlines, so text cannot forge an event.
    if (!response.write(`${name}data: ${JSON.stringify(data)}\n\n`)) {
      await Promise.race([once(response, 'drain'), once(response, 'close')]);
    }
  }

  end(): void {
    this.reply.raw.end();
  }
}
