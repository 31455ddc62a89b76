#!/usr/bin/env node
import { existsSync } from 'node:fs';

// A reader such as `head` may close the pipe early: that is its right, not a failure.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

const entry = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(entry)) {
  const { main } = await import(entry.href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  process.stderr.write('error E_NOT_BUILT: the TypeScript sources are not compiled\n  hint: npm run setup\n');
  process.exitCode = 2;
}
