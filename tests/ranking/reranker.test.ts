// A made-up reranker over made-up candidates: it gives what a Scorer of the same scores gives for these candidates, and what is
// computed on the host.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Samples } from '../../encoding/samples.ts';
import type { Reranker } from '../../ranking/reranker.ts';
import { rerank } from '../../ranking/reranker.ts';
import { ranksAmongAll, retrieve } from '../../ranking/retrieval.ts';
import type { Batch, Side } from '../../ranking/scorer.ts';
import { rankMentions } from '../../ranking/scoring-pass.ts';
import { preparedEntities, preparedMentions, range } from '../../ranking/sources.ts';
import { denseScorer, features, numberedSamples, preparedSide } from '../support/dense-scorer.ts';
import { device } from '../support/device.ts';
import { generator } from '../support/random.ts';

const [M, E, d] = [37, 90, 4];
const next = generator(5);
const whole = (count: number) => Float32Array.from({ length: count }, () => Math.floor(next() * 7) - 3);
const vectors = { mention: whole(M * d), entity: whole(E * d) };
const dot = (m: number, e: number) =>
  range(0, d).reduce((sum, i) => sum + vectors.mention[m * d + i]! * vectors.entity[e * d + i]!, 0);
const gold = Int32Array.from({ length: M }, (_, m) => (13 * m) % E);
const scorer = denseScorer('dense', d, vectors);
const mentions = preparedMentions(preparedSide('mention', [scorer], new Array<number>(M).fill(3)));
const entities = preparedEntities(preparedSide('entity', [scorer], new Array<number>(E).fill(3)));
const samples = { mentions: numberedSamples(range(0, M)), entities: numberedSamples(range(0, E)) };

/** A reranker by a function of the numbers of mention and entity; `sizes` notes how many pairs it is asked for. */
function rerankerBy(
  score: (mention: number, entity: number) => number,
  mostPairs = 50,
): Reranker<Int32Array> & { sizes: number[]; prepared: [Side, number][] } {
  const sizes: number[] = [];
  const prepared: [Side, number][] = [];
  const numbersOf = ({ inputs, rows }: Batch<Int32Array>) => rows.map((row) => inputs[row]!);
  return {
    name: 'made-up',
    device,
    mostPairs,
    sizes,
    prepared,
    async prepare(side: Side, { tokens }: Samples) {
      prepared.push([side, tokens.count]);
      return tokens.ids;
    },
    pairScores(left, right) {
      const [m, e] = [numbersOf(left), numbersOf(right)];
      sizes.push(m.length);
      return device.tensor(
        [m.length],
        Float32Array.from(m, (mention, i) => score(mention, e[i]!)),
      );
    },
  };
}

test('candidates are scored as a Scorer of the same scores does', async () => {
  const candidates = await retrieve(scorer, mentions, entities, 12);
  const pass = await rankMentions({ systems: [scorer], mentions, entities, gold, top: 5, candidates });
  const reranker = rerankerBy(dot);
  const found = await rerank(reranker, { ...samples, features, candidates, gold, top: 5 });
  const expected = pass.systems['dense']!;
  assert.equal(
    found.top.map((own) => own.map(({ score }) => score)),
    expected.top.map((own) => own.map(({ score }) => score)),
  );
  assert.equal(
    ranksAmongAll(found.ranks, candidates, gold, E),
    ranksAmongAll(expected.ranks, candidates, gold, E),
  );
  assert.ok(reranker.sizes.every((size) => size <= 50));
  assert.is(
    reranker.sizes.reduce((sum, size) => sum + size, 0),
    12 * M,
  );
  // Each entity once for the mentions that are taken together.
  assert.ok(reranker.prepared.every(([side, count]) => count <= (side === 'mention' ? 16 : E)));
});

test('its own order counts, whatever the candidates were proposed by; equals stand in the order of the knowledge base', async () => {
  const candidates = await retrieve(scorer, mentions, entities, 20);
  const other = (m: number, e: number) => (m * 31 + e * 17) % 11;
  const found = await rerank(rerankerBy(other, 1000), { ...samples, features, candidates, gold, top: 20 });
  for (const m of range(0, M)) {
    const own = [...candidates.rows.subarray(m * 20, (m + 1) * 20)];
    const sorted = own.toSorted((a, b) => other(m, b) - other(m, a) || a - b);
    assert.equal(
      found.top[m]!.map(({ entity }) => entity),
      sorted,
    );
    const at = gold[m]!;
    const rank = own.includes(at)
      ? 1 +
        own.filter((e) => other(m, e) > other(m, at)).length +
        own.filter((e) => e !== at && other(m, e) === other(m, at)).length / 2
      : 21;
    assert.is(found.ranks[m], rank);
  }
});

test('a score that is not finite is named', async () => {
  const candidates = await retrieve(scorer, mentions, entities, 4);
  const broken = rerankerBy((m) => (m === 20 ? Number.NaN : 1));
  const error = await rerank(broken, { ...samples, features, candidates, top: 1 }).catch((e: Error) => e);
  assert.match(String(error), /mention 20: its score with entity \d+ is not finite \(made-up\)/);
});

test.run();
