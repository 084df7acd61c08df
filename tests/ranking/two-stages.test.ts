// Two stages as one ranking: against a ranking of all entities on the host.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Samples } from '../../encoding/samples.ts';
import type { Reranker } from '../../ranking/reranker.ts';
import { retrieve } from '../../ranking/retrieval.ts';
import type { Batch } from '../../ranking/scorer.ts';
import { rankMentions } from '../../ranking/scoring-pass.ts';
import { preparedEntities, preparedMentions, range } from '../../ranking/sources.ts';
import { rankTwoStages } from '../../ranking/two-stages.ts';
import { denseScorer, features, numberedSamples, preparedSide } from '../support/dense-scorer.ts';
import { device } from '../support/device.ts';
import { normal } from '../support/random.ts';

const [M, E, d, N] = [40, 60, 5, 12];
const vectors = { mention: normal(M * d, 1), entity: normal(E * d, 2) };
const first = (m: number, e: number) =>
  range(0, d).reduce((sum, i) => sum + vectors.mention[m * d + i]! * vectors.entity[e * d + i]!, 0);
/** The second stage has ties. */
const second = (m: number, e: number) => (m * 31 + e * 17) % 7;
const gold = Int32Array.from({ length: M }, (_, m) => (13 * m) % E);
const numbersOf = ({ inputs, rows }: Batch<Int32Array>) => rows.map((row) => inputs[row]!);
const reranker: Reranker<Int32Array> = {
  name: 'second',
  device,
  mostPairs: 50,
  prepare: async (_, { tokens }: Samples) => tokens.ids,
  pairScores(mentions, entities) {
    const [m, e] = [numbersOf(mentions), numbersOf(entities)];
    return device.tensor(
      [m.length],
      Float32Array.from(m, (mention, i) => second(mention, e[i]!)),
    );
  },
};

test('candidates come first, by the second stage, then all others, by the first', async () => {
  const scorer = denseScorer('first', d, vectors);
  const mentions = preparedMentions(preparedSide('mention', [scorer], new Array<number>(M).fill(3)));
  const entities = preparedEntities(preparedSide('entity', [scorer], new Array<number>(E).fill(3)));
  const { systems } = await rankMentions({ systems: [scorer], mentions, entities, gold });
  const candidates = await retrieve(scorer, mentions, entities, N);
  const task = {
    mentions: numberedSamples(range(0, M)),
    entities: numberedSamples(range(0, E)),
    features,
    gold,
    top: 3,
  };
  const found = await rankTwoStages(reranker, { candidates, ranks: systems['first']!.ranks }, task);
  let proposed = 0;
  for (const m of range(0, M)) {
    const byFirst = range(0, E).sort((a, b) => first(m, b) - first(m, a));
    const own = byFirst.slice(0, N);
    const at = gold[m]!;
    if (own.includes(at)) {
      proposed++;
      const higher = own.filter((e) => second(m, e) > second(m, at)).length;
      const ties = own.filter((e) => e !== at && second(m, e) === second(m, at)).length;
      assert.is(found.ranks[m], 1 + higher + ties / 2, `mention ${m}`);
    } else assert.is(found.ranks[m], 1 + byFirst.indexOf(at), `mention ${m}`);
    assert.ok(found.top[m]!.every(({ entity }) => own.includes(entity)));
  }
  assert.ok(proposed > 3 && proposed < M - 3);
  assert.is(found.recall, (100 * proposed) / M);
});

test('an entity that ties with candidates and is none stands behind them', async () => {
  const same = denseScorer('first', d, { mention: vectors.mention, entity: new Float32Array(E * d) });
  const mentions = preparedMentions(preparedSide('mention', [same], new Array<number>(M).fill(3)));
  const entities = preparedEntities(preparedSide('entity', [same], new Array<number>(E).fill(3)));
  const { systems } = await rankMentions({ systems: [same], mentions, entities, gold });
  const candidates = { ...(await retrieve(same, mentions, entities, 40)) };
  const task = {
    mentions: numberedSamples(range(0, M)),
    entities: numberedSamples(range(0, E)),
    features,
    gold,
    top: 0,
  };
  const { ranks } = await rankTwoStages(reranker, { candidates, ranks: systems['first']!.ranks }, task);
  for (const [m, rank] of ranks.entries()) {
    if (!candidates.rows.subarray(m * 40, (m + 1) * 40).includes(gold[m]!)) assert.is(rank, 41);
  }
});

test.run();
