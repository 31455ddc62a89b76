/** input.json of a checkpoint, as a file: its name, text and checks. What goes into it is input-fingerprint.ts. */
import { z } from 'zod';
import { CheckpointError } from '../base/errors.js';
import { sha256 } from '../base/hash.js';

export const INPUT_NAME = 'input.json';
const FORMAT = 'mimic-input';

export type InputField = string | number | boolean | null;

/** Dotted names and values of everything that decides what the model is given. */
export type InputFields = Readonly<Record<string, InputField>>;

export interface InputFingerprint {
  /** SHA-256 of all fields. */
  readonly sha256: string;
  readonly fields: InputFields;
}

const SavedSchema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(1),
  sha256: z.string(),
  fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

/** SHA-256 of all fields, in whatever order they come. */
export function hashOfFields(fields: InputFields): string {
  return sha256(JSON.stringify(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** The text of input.json. */
export function inputJson({ sha256, fields }: InputFingerprint): string {
  return `${JSON.stringify({ format: FORMAT, version: 1, sha256, fields }, null, 2)}\n`;
}

/** @throws CheckpointError E_INPUT_FILE */
export function parseInput(path: string, text: string): z.output<typeof SavedSchema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError('E_INPUT_FILE', `${path}: not JSON (${(cause as Error).message}).`, { cause });
  }
  const parsed = SavedSchema.safeParse(json);
  if (!parsed.success) {
    throw new CheckpointError('E_INPUT_FILE', `${path}: not an input file: ${z.prettifyError(parsed.error)}`);
  }
  if (hashOfFields(parsed.data.fields) !== parsed.data.sha256) {
    throw new CheckpointError('E_INPUT_FILE', `${path}: its fields do not fit its sha256; it was edited or damaged.`);
  }
  return parsed.data;
}
