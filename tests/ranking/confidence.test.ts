// Measures of probabilities, against cases made by hand.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { areaUnderRoc, calibrationError, thresholdCurve } from '../../ranking/confidence.ts';
import { generator } from '../support/random.ts';

test('the area under the ROC curve', () => {
  assert.is(areaUnderRoc([3, 4], [1, 2]), 1);
  assert.is(areaUnderRoc([1, 2], [3, 4]), 0);
  assert.is(areaUnderRoc([5, 5], [5]), 0.5, 'equal scores tell nothing');
  // Pairs: 0.9 beats both, 0.4 beats 0.2 and ties with 0.4.
  assert.is(areaUnderRoc([0.9, 0.4], [0.4, 0.2]), 3.5 / 4);
  const next = generator(2);
  const [a, b] = [0, 1].map(() => Array.from({ length: 60 }, () => Math.floor(next() * 10)));
  let pairs = 0;
  for (const x of a!) for (const y of b!) pairs += x > y ? 1 : x === y ? 0.5 : 0;
  assert.ok(Math.abs(areaUnderRoc(a!, b!) - pairs / 3600) < 1e-12, 'as counting pairs');
  assert.throws(() => areaUnderRoc([], [1]), /both kinds/);
});

test('the calibration error', () => {
  assert.is(calibrationError([1, 1, 0], [true, true, false]), 0);
  assert.is(calibrationError([1, 1], [false, false]), 1);
  assert.is(calibrationError([0.5, 0.5], [true, false]), 0);
  // Two bins: said 0.9 and 0.8 with one right, said 0.3 with none right.
  const error = (Math.abs(1.7 - 1) + 0.3) / 3;
  assert.ok(Math.abs(calibrationError([0.9, 0.8, 0.3], [true, false, false], 2) - error) < 1e-12);
  assert.is(calibrationError([], []), 0);
});

test('precision and recall by threshold', () => {
  const answers = [
    { probability: 0.9, isRight: true },
    { probability: 0.6, isRight: false },
    { probability: 0.4, isRight: true },
    { probability: 0.1, isRight: false },
  ];
  assert.equal(thresholdCurve(answers, 3, 2), [
    { threshold: 0, precision: 0.5, recall: 2 / 3 },
    { threshold: 0.5, precision: 0.5, recall: 1 / 3 },
    { threshold: 1, precision: null, recall: 0 },
  ]);
});

test.run();
