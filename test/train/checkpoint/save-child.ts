/**
 * A program that saves checkpoints and kills itself, as `kill -9` would, before the n-th change to the file system.
 * Usage: node save-child.js FOLDER SAVES N, SAVES as JSON; it prints the number of changes when it survives.
 */
import { interceptFs } from './intercept-fs.js';
import { type PlannedSave, saveAll } from './saves.js';

const [folder = '', saves = '[]', killAt = ''] = process.argv.slice(2);
let changes = 0;
await interceptFs(() => {
  if (changes === Number(killAt)) process.kill(process.pid, 'SIGKILL');
  changes++;
});
await saveAll(folder, JSON.parse(saves) as PlannedSave[], new URL(import.meta.url).pathname);
console.log(changes);
