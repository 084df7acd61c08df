// Mixtures of 1, 2, 3, 5 and 8 made-up scorers, weighted, gated and of probabilities: as plain Scorers, through a pass, and from an index they
// give what is computed on the host.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildIndex } from '../../ranking/index/builder.ts';
import { openIndex } from '../../ranking/index/source.ts';
import { FixedShares } from '../../ranking/mixed-probabilities.ts';
import { Mixture, meanOf } from '../../ranking/mixture.ts';
import type { AnyScorer, Side } from '../../ranking/scorer.ts';
import { rankMentions } from '../../ranking/scoring-pass.ts';
import { preparedEntities, preparedMentions, range } from '../../ranking/sources.ts';
import {
  denseScorer,
  features,
  leadShares,
  logSumExp,
  numberedEntities,
  numberedSamples,
  preparedSide,
  tableGate,
} from '../support/dense-scorer.ts';
import { device } from '../support/device.ts';
import { generator } from '../support/random.ts';

const [M, E, d] = [9, 70, 3];
const next = generator(7);
const whole = (count: number, most: number) =>
  Float32Array.from({ length: count }, () => Math.floor(next() * (2 * most + 1)) - most);
const lengths = new Array<number>(M).fill(5);
const gold = Int32Array.from({ length: M }, (_, m) => (11 * m) % E);

/** Every other mention has an image. */
const imageOf = (m: number) => m % 2;
const hasNoImage = Uint8Array.from({ length: M }, (_, m) => 1 - imageOf(m));

for (const B of [1, 2, 3, 5, 8]) {
  const vectors = range(0, B).map(() => ({ mention: whole(M * d, 3), entity: whole(E * d, 3) }));
  const parts = vectors.map((own, i) => denseScorer(`part${i}`, d, own));
  const dot = (part: number, m: number, e: number) =>
    range(0, d).reduce(
      (sum, i) => sum + vectors[part]!.mention[m * d + i]! * vectors[part]!.entity[e * d + i]!,
      0,
    );
  const logits = { mention: whole(B * M, 3), entity: whole(B * E, 3) };
  const calibration = Float32Array.from({ length: 2 * B }, (_, i) => (i < B ? 1 + (i % 2) : i - B));
  const picked = (m: number, e: number) => {
    const pi = range(0, B).map((i) => Math.max(0, logits.mention[B * m + i]! + logits.entity[B * e + i]!));
    return pi.indexOf(Math.max(...pi));
  };
  const gate = tableGate(B, logits, true, calibration);
  const scales = range(0, B).map((i) => 0.3 + i / 16);
  /** log sum_i pi_i p_i in float64, pi the softmax of `logit`. */
  const mixed = (logit: (m: number, i: number) => number) => {
    const known = range(0, M).map((m) => {
      const logits = range(0, B).map((i) => logit(m, i));
      return range(0, B).map((i) => {
        const all = range(0, E).map((e) => scales[i]! * dot(i, m, e));
        return logits[i]! - logSumExp(logits) - logSumExp(all);
      });
    });
    return (m: number, e: number) =>
      logSumExp(range(0, B).map((i) => known[m]![i]! + scales[i]! * dot(i, m, e)));
  };
  const cases: [string, AnyScorer, (m: number, e: number) => number][] = [
    [
      'mean',
      meanOf('mean', parts),
      (m, e) => range(0, B).reduce((sum, i) => sum + dot(i, m, e), 0) * Math.fround(1 / B),
    ],
    [
      'gate',
      new Mixture('gated', parts, { gate }),
      (m, e) => {
        const i = picked(m, e);
        return calibration[i]! * dot(i, m, e) + calibration[B + i]!;
      },
    ],
    [
      'fixed shares',
      new Mixture('fixed', parts, { shares: new FixedShares(device, scales) }),
      mixed(() => 0),
    ],
    [
      'shares',
      new Mixture('mixed', parts, { shares: leadShares(scales) }),
      mixed((m, i) => {
        const [first, , third] = range(0, E)
          .map((e) => dot(i, m, e))
          .sort((a, b) => b - a) as [number, number, number];
        return (first - third) / 4 + (imageOf(m) * i) / 8;
      }),
    ],
  ];
  for (const [name, system, score] of cases) {
    test(`${name} of ${B}: a plain Scorer has the host's scores`, async () => {
      const batch = async (side: Side, n: number) => ({
        inputs: await system.prepare(side, numberedSamples(range(0, n)), [0], features),
        rows: range(0, n),
        images: range(0, n).map((row) => (side === 'mention' ? imageOf(row) : 0)),
      });
      const [ofMentions, ofEntities] = [await batch('mention', M), await batch('entity', E)];
      const scores = await device.scope(() => {
        const mentions = system.mentionSide(ofMentions);
        const entities = system.entitySide(ofEntities);
        return device.read<'f32'>(system.scores(mentions, system.unpack(system.pack(entities))));
      });
      for (let m = 0; m < M; m++) {
        for (let e = 0; e < E; e++) {
          const [found, expected] = [scores[m * E + e]!, score(m, e)];
          assert.ok(Math.abs(found - expected) <= 1e-5 * Math.max(1, Math.abs(expected)), `${m} ${e}`);
        }
      }
    });

    test(`${name} of ${B}: a pass and an index give the same ranks, best entities and choices`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'dsmip-mixture-'));
      const mentions = preparedMentions(preparedSide('mention', [...parts, gate], lengths, hasNoImage));
      const pass = { systems: [system], mentions, gold, top: 3, countsChoices: true };
      const prepared = preparedEntities(
        preparedSide('entity', [...parts, gate], new Uint8Array(E), new Uint8Array(E)),
      );
      const direct = await rankMentions({ ...pass, entities: prepared });
      for (let m = 0; m < M; m++) {
        const own = score(m, gold[m]!);
        const close = (e: number) => Math.abs(score(m, e) - own) < 1e-4;
        const others = range(0, E).filter((e) => e !== gold[m]);
        const higher = others.filter((e) => !close(e) && score(m, e) > own).length;
        assert.is(direct.systems[system.name]!.ranks[m], 1 + higher + others.filter(close).length / 2);
      }
      await buildIndex({
        ...numberedEntities(E),
        scorer: system,
        folder,
        dtype: 'float32',
        shard: 32,
        fingerprints: {},
      });
      const index = await openIndex(folder, system, {});
      const indexed = await rankMentions({ ...pass, entities: index });
      await index.close();
      assert.equal(indexed.systems, direct.systems);
      assert.equal(indexed.choices, direct.choices);
      rmSync(folder, { recursive: true });
    });
  }
}

test('a mixture needs parts of different names and as many weights', () => {
  const one = denseScorer('x', d, { mention: whole(3, 1), entity: whole(3, 1) });
  assert.throws(() => new Mixture('none', [], { weights: [] }), /expected parts/);
  assert.throws(() => new Mixture('twice', [one, one], { weights: [1, 1] }), /different names/);
  assert.throws(() => new Mixture('short', [one], { weights: [1, 1] }), /2 weights for 1 parts/);
});

test.run();
