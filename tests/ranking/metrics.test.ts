// The metrics made of ranks.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { metricsOf } from '../../ranking/metrics.ts';

test('metrics of known ranks', () => {
  const metrics = metricsOf([1, 2, 4, 20, 21]);
  assert.equal(
    { ...metrics, mrr: Math.round(metrics.mrr * 1000) / 1000 },
    {
      'hits@1': 20,
      'hits@3': 40,
      'hits@5': 60,
      'hits@10': 60,
      'hits@20': 80,
      mrr: 36.952,
      mr: 9.6,
    },
  );
  assert.is(metricsOf([1.5])['hits@1'], 0);
  assert.throws(() => metricsOf([]), /no ranks/);
});

test.run();
