import { describe, expect, it } from 'vitest';
import { hubName } from '../../../src/train/report/model-card.js';

describe('hubName', () => {
  it('finds the id that a base has on the Hub where its path tells', () => {
    expect(hubName('weights/OpenGVLab/InternVL2_5-8B')).toBe('OpenGVLab/InternVL2_5-8B');
    expect(hubName('/cache/models--OpenGVLab--InternVL2_5-8B/snapshots/abc')).toBe('OpenGVLab/InternVL2_5-8B');
    expect(hubName('demo/base')).toBe('base');
    expect(hubName('./base/')).toBe('base');
  });
});
