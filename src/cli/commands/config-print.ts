import { Document, isNode, isSeq } from 'yaml';
import type { LoadedConfig } from '../../base/config.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { CONFIG_FLAG, JSON_FLAG } from './shared-flags.js';

/** The resolved YAML with the origin of each value behind it; still a file that loads. */
function annotate({ config, origins, sha256 }: LoadedConfig<unknown>): string {
  const document = new Document(config, { version: '1.2', schema: 'core', aliasDuplicateObjects: false });
  document.commentBefore = ` SHA-256 of the resolved settings: ${sha256}`;
  for (const [path, origin] of origins) {
    const node = document.getIn(path.split('.'), true);
    if (!isNode(node)) continue;
    if (isSeq(node)) node.flow = true;
    node.comment = ` ${origin}`;
  }
  return document.toString({ lineWidth: 0 });
}

export const configPrint = defineCommand({
  flags: { ...CONFIG_FLAG, ...JSON_FLAG },
  takesOverrides: true,
  examples: [
    ['mimic config print -c configs/demo.yaml', 'every value, with the file and line it came from'],
    ['mimic config print -c configs/mimic-chat-8b.yaml --train.epochs=3', 'what a flag changes'],
    ['mimic config print -c configs/mimic-chat-8b.yaml --json', 'settings, origins and SHA-256 for a script'],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ config: file, json }, { overrides }) {
    const { loadRunConfig } = await import('../../train/base-settings.js');
    const loaded = await loadRunConfig({ file, overrides });
    const { config, origins, sha256 } = loaded;
    const report = { sha256, config, origins: Object.fromEntries(origins) };
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : annotate(loaded));
    return EXIT_CODE.done;
  },
});
