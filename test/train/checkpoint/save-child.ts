/**
 * A program that saves one checkpoint and kills itself, as `kill -9` would, before the n-th change to the file system.
 * Usage: node save-child.js FOLDER STEP N; it prints the number of changes when it survives.
 */
import { saveCheckpoint } from '../../../src/train/checkpoint/save.js';
import { contentsOf } from './contents.js';
import { interceptFs } from './intercept-fs.js';

const [folder = '', step = '', killAt = ''] = process.argv.slice(2);
let changes = 0;
await interceptFs(() => {
  if (changes === Number(killAt)) process.kill(process.pid, 'SIGKILL');
  changes++;
});
await saveCheckpoint(folder, {
  ...contentsOf(Number(step)),
  best: true,
  extraFiles: [new URL(import.meta.url).pathname],
});
console.log(changes);
