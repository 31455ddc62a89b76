import { describe, expect, it } from 'vitest';
import { MimicChatModel } from '../../src/model/mimic-chat.js';
import { startupRows, startupTable, startupTotals } from '../../src/train/startup-table.js';
import { tinyConfig } from '../support/tiny-model.js';

function trainedModel(): MimicChatModel {
  const model = new MimicChatModel(tinyConfig());
  model.parameters.train(['spatial projector', 'special tokens']);
  return model;
}
const trainingOf = (layout: 'paper' | 'internvl' | 'none') =>
  Object.fromEntries(startupRows(trainedModel(), { layout }).map(({ part, training }) => [part, training]));

describe('the start-up table', () => {
  it('says of each part whether it is trained', () => {
    expect(trainingOf('paper')).toMatchObject({
      ...{ 'spatial encoder': 'frozen', 'spatial projector': 'full', 'special tokens': 'full' },
    });
  });

  it('counts no part as trained that the prompt does not read', () => {
    expect(trainingOf('internvl')).toMatchObject({ 'spatial projector': 'full', 'special tokens': 'unused' });
    expect(trainingOf('none')).toMatchObject({ 'spatial projector': 'unused', 'special tokens': 'unused' });
    const rows = startupRows(trainedModel(), { layout: 'internvl' });
    const projector = rows.find(({ part }) => part === 'spatial projector');
    expect(startupTotals(rows).trained).toBe(projector?.parameters);
    expect(startupTable(trainedModel(), { layout: 'internvl' })).toMatch(
      /special tokens +\d+ {2}unused {2}no gradient/,
    );
  });

  it('warns of a frozen part without pretrained weights', () => {
    const text = startupTable(trainedModel(), { freshFrozenParts: ['temporal encoder'] });
    expect(text).toMatch(/temporal encoder .*frozen {2}no pretrained weights: random and frozen/);
  });
});
