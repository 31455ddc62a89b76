/** Flash attention beside PyTorch's scaled_dot_product_attention (its flash kernel): forward, and forward with backward. */
import { type AttentionGradProblem, attentionFlops } from '../../../src/backend/device.js';
import { RandomMemory } from '../random.js';
import { type SectionContext, speedRow } from '../section.js';
import { interleavedOnGpu, onGpu } from '../timing.js';

interface Shape {
  readonly batch: number;
  readonly tokens: number;
  readonly heads: number;
  readonly groups: number;
  readonly headDim: number;
  readonly causal: boolean;
}

/** 16 k tokens and a hidden size of 2048 in all, as the published figures have it. */
const TOKENS = 16384;
const HIDDEN = 2048;

function shapes(quick: boolean): Shape[] {
  const lengths = quick ? [20] : [2048, 8192, 16384];
  const plain = [64, 128].flatMap((headDim) =>
    [false, true].flatMap((causal) =>
      lengths.map((tokens): Shape => {
        const heads = quick ? 1 : HIDDEN / headDim;
        return { batch: quick ? 1 : TOKENS / tokens, tokens, heads, groups: heads, headDim, causal };
      }),
    ),
  );
  const model = { batch: 1, tokens: quick ? 20 : 8192, headDim: 128, causal: true };
  return [...plain, { ...model, heads: quick ? 4 : 32, groups: quick ? 1 : 8 }];
}

function nameOf({ batch, tokens, heads, groups, headDim, causal }: Shape, pass: string): string {
  const grouped = groups === heads ? `${heads}` : `${heads}/${groups}`;
  return `attention ${pass} hd${headDim} ${causal ? 'causal' : 'full'} B${batch} T${tokens} H${grouped}`;
}

function problemOf(
  memory: RandomMemory,
  { batch, tokens, heads, groups, headDim, causal }: Shape,
): AttentionGradProblem {
  const queries = batch * tokens * heads * headDim;
  const keys = batch * tokens * groups * headDim;
  const random = (length: number) => memory.random(length, 'bf16');
  const empty = (length: number) => memory.empty(length, 'bf16');
  return {
    ...{ storage: 'bf16', batch, queries: tokens, keys: tokens, capacity: tokens, keyCount: 0, heads, groups, headDim },
    ...{ causal, scale: headDim ** -0.5, q: random(queries), k: random(keys), v: random(keys), keyMask: 0 },
    ...{ o: empty(queries), lse: memory.empty(batch * heads * tokens, 'f32') },
    ...{ dy: random(queries), dq: empty(queries), dk: empty(keys), dv: empty(keys) },
  };
}

export async function attention({ gpu, torch, quick, add }: SectionContext): Promise<void> {
  for (const shape of shapes(quick)) {
    const memory = new RandomMemory(gpu);
    try {
      const problem = problemOf(memory, shape);
      // Causal attention does half of the work; the backward pass 2.5 times the forward's.
      const flops = attentionFlops(problem) / (shape.causal ? 2 : 1);
      const passes = [
        { pass: 'forward', factor: 1, work: () => gpu.attention(problem) },
        {
          pass: 'forward + backward',
          factor: 3.5,
          work: () => {
            gpu.attention(problem);
            gpu.attentionGrad(problem);
          },
        },
      ];
      for (const { pass, factor, work } of passes) {
        const theirs = torch?.sample({ do: 'attention', ...shape, backward: factor > 1 });
        const [ms, theirMs] = await interleavedOnGpu([onGpu(gpu, work), theirs], quick);
        const speed = (time: number) => (factor * flops) / time / 1e9;
        const peer = theirMs === undefined ? undefined : speed(theirMs);
        const figures = { ours: speed(ms ?? Number.NaN), unit: 'TFLOP/s', peer, peerName: 'PyTorch SDPA' };
        add(speedRow({ name: nameOf(shape, pass), ...figures }));
      }
    } finally {
      memory.dispose();
    }
  }
}
