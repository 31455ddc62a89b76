/** Target `index`: mutated indices of shards; an accepted one must be what JSON.parse reads, with plain file names. */
import { mutateBytes, NUMBERS } from './mutate.mjs';

const PALETTE = [...'{}[]",:0123456789eE.- \\/\t\n\0\xff'].map((symbol) => symbol.charCodeAt(0));
const SHARDS = [
  'model-00001-of-00002.safetensors',
  'model-00002-of-00002.safetensors',
  'pytorch_model-1.bin',
  '../x.bin',
];
const BAD_SHARDS = [
  '/etc/x.bin',
  'a/b.bin',
  'a\\\\b.bin',
  '..',
  '',
  'x',
  '.x.bin',
  'x.bin\\u0000',
  'index.json',
  '\\u002e./x.bin',
];

export async function indexTarget(load) {
  const { parseShardIndex } = await load('model/weights/shard-index.js');
  return { make: makeCase, run: async (bytes) => parseShardIndex('fuzz', bytes), check };
}

function makeCase(rng) {
  const names = Array.from({ length: rng.int(6) }, () =>
    rng.int(8) ? `w${rng.int(20)}` : rng.pick(['__proto__', '', 'é', '\\"']),
  );
  const shard = () => rng.pick(rng.int(6) === 0 ? BAD_SHARDS : SHARDS.slice(0, 3));
  const map = names.map((name) => `"${name}":"${shard()}"`).join(',');
  const metadata = `"metadata":{"total_size":${rng.int(3) ? rng.int(1000) : rng.pick(NUMBERS)},"x":[1,{"y":null}]}`;
  const members = [metadata, `"weight_map":{${map}}`];
  if (rng.int(10) === 0) members.push(rng.pick(members));
  if (rng.int(2)) members.reverse();
  const bytes = Buffer.from(`{${members.join(rng.int(2) ? ',\n  ' : ',')}}`);
  return rng.int(3) === 0 ? bytes : mutateBytes(rng, bytes, PALETTE);
}

function check({ weightMap, shards }, bytes) {
  const parsed = JSON.parse(bytes.toString('utf8'));
  const expected = new Map();
  // JSON.parse keeps an own property named __proto__, and Object.entries lists it.
  for (const [name, file] of Object.entries(parsed.weight_map)) expected.set(name, file);
  if (JSON.stringify([...weightMap].sort()) !== JSON.stringify([...expected].sort())) return 'the map is not the JSON';
  for (const shard of shards) {
    if (/[/\\\0]|^\.|^$/.test(shard) || !/\.(safetensors|bin)$/.test(shard))
      return `shard ${JSON.stringify(shard)} passed`;
  }
  return undefined;
}
