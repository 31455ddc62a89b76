/**
 * A program that trains a tiny run on the native backend and dies of a segmentation fault inside a kernel, at the n-th
 * change to the file system (so, within a save) or in the step after the last save.
 * Usage: node crash-child.js FOLDER N; it prints the number of changes when it survives.
 */
import * as tf from '@tensorflow/tfjs-core';
import { NativeBackend } from '../../../src/backend/native-backend.js';
import { useBackend } from '../../../src/backend/select.js';
import { tune } from '../../../src/train/tune.js';
import { crashRun } from './crash-run.js';
import { interceptFs } from './intercept-fs.js';

/** No process may write there. */
const BAD_ADDRESS = 8;
const ELEMENTS = 1024;

const [folder = '', crashAt = ''] = process.argv.slice(2);
await useBackend({ backend: 'native', device: 'cpu', threads: 1 });
const backend: unknown = tf.backend();
if (!(backend instanceof NativeBackend)) throw new TypeError('crash-child: the backend is not a NativeBackend');
const { device } = backend;

const run = await crashRun(folder);
let changes = 0;
await interceptFs(() => {
  if (changes === Number(crashAt)) device.launch('fill', BAD_ADDRESS, ELEMENTS, 1);
  changes++;
});
await tune({ ...run, resume: false });
console.log(changes);
