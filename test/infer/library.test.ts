import { describe, expect, it } from 'vitest';
import * as library from '../../src/index.js';

describe('the library', () => {
  it('exports these names and no others', () => {
    expect(Object.keys(library).sort()).toEqual([
      'BackendError',
      'CheckpointError',
      'ConfigError',
      'DataError',
      'MimicChat',
      'MimicError',
      'RequestError',
      'ShapeError',
      'compareRuns',
      'createServer',
      'evaluateQuestions',
      'scoreAnswers',
      'serverOptions',
    ]);
  });
});
