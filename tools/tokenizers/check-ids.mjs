#!/usr/bin/env node
/**
 * Compares a folder's tokenizer with what another one made of many strings, see check-sentencepiece.py and
 * check-byte-level.py:
 *
 *     npm run setup && node tools/tokenizers/check-ids.mjs <folder> <cases.jsonl>
 *
 * Prints counts and the first differences; exits with 1 when there is any.
 */
import { readFileSync } from 'node:fs';
import { loadTokenizer } from '../../dist/data/tokenizer.js';

const SHOWN = 5;
const [folder, casesFile] = process.argv.slice(2);
if (casesFile === undefined) {
  console.error('usage: node tools/tokenizers/check-ids.mjs <folder> <cases.jsonl>');
  process.exit(2);
}
const started = performance.now();
const tokenizer = await loadTokenizer(folder);
console.log(`loaded in ${Math.round(performance.now() - started)} ms, ${tokenizer.vocabSize} ids`);

const counts = { encoded: 0, decoded: 0, streamed: 0 };
const wrong = { encoded: 0, decoded: 0, streamed: 0 };
const same = (kind, got, expected, input) => {
  counts[kind]++;
  if (JSON.stringify(got) === JSON.stringify(expected)) return;
  if (wrong[kind]++ < SHOWN) console.log(`${kind} ${JSON.stringify({ input, got, expected })}`);
};
for (const line of readFileSync(casesFile, 'utf8').split('\n')) {
  if (line === '') continue;
  const { text, ids, decoded } = JSON.parse(line);
  if (text !== undefined) {
    same('encoded', tokenizer.encode(text), ids, text);
  } else {
    same('decoded', tokenizer.decode(ids), decoded, ids);
    const stream = tokenizer.stream();
    same('streamed', ids.map((id) => stream.push(id)).join('') + stream.end(), decoded, ids);
  }
}
for (const kind of Object.keys(counts)) console.log(`${kind}: ${counts[kind]} compared, ${wrong[kind]} differ`);
process.exitCode = Object.values(wrong).some((count) => count > 0) ? 1 : 0;
