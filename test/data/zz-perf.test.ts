import { it } from 'vitest';
import { Rng } from '../../src/base/rng.js';
import { drawFacts } from '../../src/data/synth/facts.js';
import { makeRecord } from '../../src/data/synth/record.js';
import { CorpusIndex } from '../../src/data/tasks/corpus-index.js';
import { drawQuestion } from '../../src/data/tasks/index.js';
import { CHOICE_TASKS } from '../../src/data/tasks/types.js';

it('perf', () => {
  const rng = new Rng(1, 's');
  for (const N of [600, 150000]) {
    const recs = Array.from({ length: N }, (_, i) => {
      const r = makeRecord(drawFacts(rng), rng, `v${i}`);
      if (N > 600) {
        r.title += ` ${rng.int(3000)} x${rng.int(3000)} y${rng.int(50)}`;
        r.tags = [...r.tags, `t${rng.int(50000)}`, `u${rng.int(50000)}`];
      }
      return r;
    });
    let t = performance.now();
    const index = new CorpusIndex(recs);
    console.log(N, 'index ms', performance.now() - t, process.memoryUsage().rss / 1e6);
    for (const task of CHOICE_TASKS) {
      for (let r = 0; r < 2; r++) {
        t = performance.now();
        const n = 3000;
        for (let i = 0; i < n; i++) drawQuestion(task, recs[i % 600] as never, index, rng);
        console.log(task, r, Math.round((n / (performance.now() - t)) * 1000), 'q/s');
      }
    }
  }
}, 100000);
