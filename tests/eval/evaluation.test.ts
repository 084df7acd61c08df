// A made-up scorer and a mixture of two are evaluated as any system: all entities, candidates, and from an index.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateTask, proposeCandidates } from '../../eval/evaluation.ts';
import type { RankingTask } from '../../eval/ranking-task.ts';
import { buildIndex } from '../../ranking/index/builder.ts';
import { openIndex } from '../../ranking/index/source.ts';
import { metricsOf } from '../../ranking/metrics.ts';
import { Mixture, meanOf } from '../../ranking/mixture.ts';
import type { AnyScorer } from '../../ranking/scorer.ts';
import { type EntitySource, preparedEntities, preparedMentions, range } from '../../ranking/sources.ts';
import { denseScorer, numberedEntities, preparedSide, tableGate } from '../support/dense-scorer.ts';
import { normal } from '../support/random.ts';

const [M, E, d] = [12, 60, 8];
const vectors = (seed: number) => ({ mention: normal(M * d, seed), entity: normal(E * d, seed + 1) });
const [a, b] = [denseScorer('a', d, vectors(1)), denseScorer('b', d, vectors(3))];
const gate = tableGate(2, { mention: normal(2 * M, 5), entity: normal(2 * E, 6) }, true);
const gated = new Mixture('gated', [a, b], { gate });
const hasNoImage = Uint8Array.from({ length: E }, (_, e) => e % 2);
const gold = Int32Array.from(range(0, M), (m) => (5 * m) % E);
const options = { top: 5, candidates: null, onProgress: () => {} };

function task(systems: readonly AnyScorer[], entities?: EntitySource): RankingTask {
  const all = [a, b, gate];
  return {
    name: 'made up',
    pass: {
      systems,
      mentions: preparedMentions(preparedSide('mention', all, new Array(M).fill(3))),
      entities: entities ?? preparedEntities(preparedSide('entity', all, hasNoImage, hasNoImage)),
      gold,
    },
    hasNoImage: new Uint8Array(M),
  };
}

for (const systems of [[a], [a, b, meanOf('mean', [a, b])], [gated]] as AnyScorer[][]) {
  const names = systems.map(({ name }) => name).join(', ');

  test(`${names}: as many candidates as entities, and an index, give the metrics of all entities`, async () => {
    const direct = await evaluateTask(task(systems), options);
    assert.equal(
      Object.keys(direct.metrics),
      systems.map(({ name }) => name),
    );
    for (const [name, metrics] of Object.entries(direct.metrics)) {
      assert.equal(metrics, metricsOf(direct.result.systems[name]!.ranks));
    }
    const proposed = await proposeCandidates(task(systems), E);
    assert.is(proposed.recall, 100);
    assert.is(proposed.by, systems.length === 1 && systems[0] === a ? 'a' : 'b');
    const { candidates } = proposed;
    const among = await evaluateTask(task(systems), { ...options, candidates });
    assert.equal(among.metrics, direct.metrics);
    assert.equal(among.result.choices, direct.result.choices);
    if (systems.length > 1) return;

    const folder = mkdtempSync(join(tmpdir(), 'dsmip-evaluation-'));
    const [scorer] = systems as [AnyScorer];
    await buildIndex({
      ...numberedEntities(E, hasNoImage),
      scorer,
      folder,
      dtype: 'float32',
      shard: 25,
      fingerprints: {},
    });
    const index = await openIndex(folder, scorer, {});
    const indexed = await evaluateTask(task(systems, index), options);
    assert.equal(indexed.result, direct.result);
    const found = await proposeCandidates(task(systems, index), 7);
    assert.equal(found.candidates, (await proposeCandidates(task(systems), 7)).candidates);
    await index.close();
    rmSync(folder, { recursive: true });
  });
}

test('fewer candidates: gold entities that were not proposed rank in the middle of the rest', async () => {
  const retrieval = await proposeCandidates(task([a]), 6);
  const { candidates } = retrieval;
  const { result } = await evaluateTask(task([a]), { ...options, candidates });
  const proposed = range(0, M).filter((m) => candidates.rows.subarray(6 * m, 6 * m + 6).includes(gold[m]!));
  assert.is(retrieval.recall, (100 * proposed.length) / M);
  for (const m of range(0, M)) {
    if (!proposed.includes(m)) assert.is(result.systems['a']!.ranks[m], 6 + 1 + (E - 7) / 2);
  }
});

test('systems without vectors to compare propose nothing', async () => {
  const without = { ...a, name: 'none', retrievalPart: null };
  const message = await proposeCandidates(task([without]), 3).then(
    () => 'no error',
    (error: Error) => error.message,
  );
  assert.is(message, 'candidates: none: no system that has vectors of texts to compare');
});

test.run();
