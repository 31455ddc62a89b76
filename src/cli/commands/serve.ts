import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { BACKEND_FLAGS, CHECKPOINT_FLAG } from './shared-flags.js';

export const serve = defineCommand({
  flags: {
    ...CHECKPOINT_FLAG,
    host: { type: 'string', default: '127.0.0.1', describe: 'address to listen on' },
    port: { type: 'number', integer: true, min: 0, max: 65535, default: 8317, describe: '0 = any free port' },
    'api-key-file': { type: 'string', describe: 'file of mode 0600 with the bearer key; needed for any other host' },
    'allow-host': { type: 'string', array: true, describe: 'further names to accept in the Host header' },
    'media-root': { type: 'string', describe: 'folder whose video files a request may name' },
    ...BACKEND_FLAGS,
  },
  examples: [
    ['mimic serve --checkpoint checkpoints/run/best', 'on http://127.0.0.1:8317, this machine only'],
    ['mimic serve --checkpoint checkpoints/run/best --port 9000', 'on another port'],
    [
      'mimic serve --checkpoint checkpoints/run/best --host 0.0.0.0 --api-key-file key.txt --allow-host video.example.org',
      'for other machines, with a key',
    ],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ 'api-key-file': apiKeyFile, 'allow-host': allowHosts, 'media-root': mediaRoot, ...options }) {
    const { runServe } = await import('../../infer/server/run-serve.js');
    await runServe({ apiKeyFile, allowHosts, mediaRoot, ...options });
    return EXIT_CODE.done;
  },
});
