/** The demo's training step on the native backend and on the fallback. */
import { interleaved } from '../measure.js';
import { type BenchContext, row } from '../report.js';
import { STEP_WORKER, Worker } from '../worker.js';

export async function wasmRows(context: BenchContext): Promise<void> {
  const name = `demo's training step, ${context.threads} threads`;
  if (!context.wants(name)) return;
  const start = (backend: string) =>
    Worker.start(process.execPath, [STEP_WORKER, 'demo-video', '', String(context.threads), backend]);
  const [native, wasm] = [await start('native'), await start('wasm')];
  try {
    const losses = [await native.ask({ do: 'train', once: true }), await wasm.ask({ do: 'train', once: true })].map(
      ({ value }) => value,
    );
    const timing = { repeats: context.quick ? 1 : 5, warmUp: 1 };
    const [ours = 0, peer = 0] = await interleaved([native.sample('train'), wasm.sample('train')], timing);
    const note = `first losses ${losses.map((loss) => loss.toFixed(5)).join(' and ')}`;
    context.add(row('lower', { name, ours, peer, peerName: 'TF.js wasm backend', unit: 'ms', note }));
  } finally {
    await Promise.all([native.stop(), wasm.stop()]);
  }
}
