// How often the intervals of `mimic ablate` hold the truth, on tables whose truth is known.
//
//     npm run build && node tools/ablation-coverage.mjs [trials]
//
// A trial draws bases, seeds, videos and answers with effects of the given spread, and asks whether the 95 % intervals hold
// the accuracy (0.8) and the paired difference (0.2) that they were drawn with. Figures in docs/how-to/ablations.md.
import { estimate } from '../dist/ablation/estimate.js';
import { Rng } from '../dist/base/rng.js';

const ACCURACY = 0.8;
const DIFFERENCE = 0.2;
const SEEDS = 3;
const VIDEOS = 120;
const QUESTIONS_A_VIDEO = 4;
const VIDEO_SPREAD = 0.1;

const trials = Number(process.argv[2] ?? 150);
const cases = [
  { bases: 3, baseSpread: 0, seedSpread: 0.02 },
  { bases: 3, baseSpread: 0.02, seedSpread: 0.02 },
  { bases: 3, baseSpread: 0.03, seedSpread: 0.01 },
  { bases: 1, baseSpread: 0, seedSpread: 0.02 },
];
for (const spreads of cases) console.log(JSON.stringify({ ...spreads, trials, ...coverage(spreads) }));

function coverage(spreads) {
  const held = { accuracy: 0, difference: 0, accuracyByTAlone: 0, accuracyByBootstrapAlone: 0 };
  for (let trial = 0; trial < trials; trial++) {
    const { runs, questions } = draw(new Rng(trial, 'cover'), spreads);
    const estimates = estimate(runs, questions, { resamples: 400, seed: trial });
    const own = estimates.of('full', 'micro');
    const gap = estimates.difference('full', 'no-lora', 'micro');
    const holds = ([low, high], truth) => Number(low <= truth && truth <= high);
    held.accuracy += holds([own.low, own.high], ACCURACY);
    held.difference += holds([gap.low, gap.high], DIFFERENCE);
    held.accuracyByTAlone += holds(own.t, ACCURACY);
    held.accuracyByBootstrapAlone += holds(own.bootstrap, ACCURACY);
  }
  return Object.fromEntries(Object.entries(held).map(([name, count]) => [name, +(count / trials).toFixed(3)]));
}

function draw(rng, { bases, baseSpread, seedSpread }) {
  const questions = new Map();
  const runs = [];
  for (let b = 0; b < bases; b++) {
    const base = String(b);
    const ofBase = baseSpread * rng.normal();
    const ofVariant = baseSpread * rng.normal();
    const ofVideo = Array.from({ length: VIDEOS }, () => VIDEO_SPREAD * rng.normal());
    const asked = ofVideo.flatMap((_, v) =>
      Array.from({ length: QUESTIONS_A_VIDEO }, (_, q) => {
        return { id: `${b}-${v}-${q}`, videoId: `${b}-${v}`, task: 'tag', axis: 'temporal', answer: 0 };
      }),
    );
    questions.set(base, asked);
    for (let seed = 0; seed < SEEDS; seed++) {
      for (const variant of ['full', 'no-lora']) {
        const mean = variant === 'full' ? ACCURACY : ACCURACY - DIFFERENCE + ofVariant;
        const skill = mean + ofBase + seedSpread * rng.normal();
        const isRight = (i) => rng.uniform() < skill + (ofVideo[Math.floor(i / QUESTIONS_A_VIDEO)] ?? 0);
        runs.push({ base, seed, variant, choices: asked.map((_, i) => (isRight(i) ? '0' : '1')).join('') });
      }
    }
  }
  return { runs, questions };
}
