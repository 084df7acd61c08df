// 300 damaged artefacts, the same ones each time; `npm run fuzz` tries 10,000 others.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fuzzArtefacts } from './fuzz-artefacts.ts';

test('what is damaged is refused in a line, made again with a warning, or gives what it gave before', async () => {
  const outcomes = [...(await fuzzArtefacts({ runs: 300, seed: 1 })).values()];
  const count = (name: 'refused' | 'made again') => outcomes.reduce((sum, own) => sum + own[name], 0);
  assert.ok(count('refused') > 150 && count('made again') > 20, JSON.stringify(outcomes));
});

test.run();
