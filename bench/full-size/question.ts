/** What every model of the benchmark is asked. */
export const QUESTION = 'Which of the following titles would the author of this video have given it?';
export const OPTIONS = [
  'A day at the training ground',
  'How I learnt to cook',
  'Morning routine',
  'The last game of the season',
];
