// Ranking against a whole knowledge base, on scores that are whole numbers and known on the host.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { choiceOf, type GateLogits, logitsOf, pickedParts } from '../../ranking/gate-logits.ts';
import { FixedShares } from '../../ranking/mixed-probabilities.ts';
import { Mixture, meanOf } from '../../ranking/mixture.ts';
import { joinLists, listOf, pairLists } from '../../ranking/pair-lists.ts';
import { ranksAmongAll, recall, retrieve } from '../../ranking/retrieval.ts';
import type { AnyScorer } from '../../ranking/scorer.ts';
import { rankMentions, type ScoringPass, type SystemResult } from '../../ranking/scoring-pass.ts';
import { preparedEntities, preparedMentions } from '../../ranking/sources.ts';
import { plainRanking } from '../../ranking/tile.ts';
import { pretend } from '../support/adapter.ts';
import { denseScorer, leadShares, logSumExp, preparedSide, tableGate } from '../support/dense-scorer.ts';
import { device } from '../support/device.ts';
import { generator } from '../support/random.ts';
import { forBothRowShapes } from '../support/row-shapes.ts';

const [M, E, d] = [131, 1100, 3];
const next = generator(5);
const whole = (count: number, most: number) =>
  Float32Array.from({ length: count }, () => Math.floor(next() * (2 * most + 1)) - most);

/** Of each of two scorers the samples' vectors; small numbers, so that many scores are equal. */
const mentionVectors = [whole(M * d, 3), whole(M * d, 3)];
const entityVectors = [whole(E * d, 3), whole(E * d, 3)];
const gold = Int32Array.from({ length: M }, () => Math.floor(next() * E));
const [a, b] = ['a', 'b'].map((name, i) =>
  denseScorer(name, d, { mention: mentionVectors[i]!, entity: entityVectors[i]! }),
) as [AnyScorer, AnyScorer];

function scoreOf(scorer: number, m: number, e: number): number {
  let sum = 0;
  for (let i = 0; i < d; i++) sum += mentionVectors[scorer]![m * d + i]! * entityVectors[scorer]![e * d + i]!;
  return sum;
}

const hasNoImage = Uint8Array.from({ length: E }, (_, e) => (e % 3 === 0 ? 1 : 0));
const lengths = Array.from({ length: M }, (_, m) => (m * 7) % 11);

/** What ranks by systems of `a`, `b` and a gate. */
function passOf(systems: readonly AnyScorer[], gates: readonly object[] = []): ScoringPass {
  return {
    systems,
    mentions: preparedMentions(preparedSide('mention', [a, b, ...gates], lengths)),
    entities: preparedEntities(preparedSide('entity', [a, b, ...gates], hasNoImage, hasNoImage)),
    gold,
    top: 4,
  };
}

/** The same by sorting all scores of a mention: rank of the answer, and the four best. */
function expected(scores: (m: number, e: number) => number, m: number, among = [...Array(E).keys()]) {
  const own = scores(m, gold[m]!);
  const others = among.filter((e) => e !== gold[m]);
  const higher = others.filter((e) => scores(m, e) > own).length;
  const equal = others.filter((e) => scores(m, e) === own).length;
  const best = [...among].sort((a, b) => scores(m, b) - scores(m, a) || a - b).slice(0, 4);
  return { rank: 1 + higher + equal / 2, best: best.map((entity) => ({ entity, score: scores(m, entity) })) };
}

function check(
  { ranks, top }: { ranks: number[]; top: { entity: number; score: number }[][] },
  scores: (m: number, e: number) => number,
): void {
  for (let m = 0; m < M; m++) {
    const { rank, best } = expected(scores, m);
    assert.is(ranks[m], rank, `rank of mention ${m}`);
    assert.equal(
      top[m]!.map(({ entity, score }) => ({ entity, score })),
      best,
      `best of mention ${m}`,
    );
  }
}

forBothRowShapes((shape, within) => {
  test(
    `ranks and best entities are those of sorting all scores, ties and all (${shape})`,
    within(async () => {
      const { systems: found, pairs } = await rankMentions(passOf([a, b, meanOf('mean', [a, b])]));
      check(found['a']!, (m, e) => scoreOf(0, m, e));
      check(found['b']!, (m, e) => scoreOf(1, m, e));
      check(found['mean']!, (m, e) => (scoreOf(0, m, e) + scoreOf(1, m, e)) / 2);
      assert.equal(pairs, { ranked: M * E, computed: { a: M * E, b: M * E } });
    }),
  );
});

test('a pass that its caller ends stops at the next block and leaves nothing on the device', async () => {
  const { liveBytes } = device.counters;
  const parts: number[] = [];
  const onProgress = (part: number) => {
    parts.push(part);
    throw new Error('no longer wanted');
  };
  let message = '';
  await rankMentions({ ...passOf([a, b]), onProgress }).catch((error: Error) => {
    ({ message } = error);
  });
  assert.is(message, 'no longer wanted');
  assert.is(parts.length, 1);
  assert.ok(parts[0]! < 0.6, `${parts}`);
  assert.is(device.counters.liveBytes, liveBytes);
});

test('parts of weight 0 are not computed', async () => {
  const sum = new Mixture('sum', [a, b], { weights: [0, 1] });
  const { pairs } = await rankMentions(passOf([sum]));
  assert.equal(pairs.computed, { a: 0, b: M * E });
});

const calibration = Float32Array.of(2, 1, 0, 1);
const logits = {
  mention: whole(2 * M, 4),
  entity: whole(2 * E, 1).map((x) => x / 2),
};
const shared = { ...logits, entity: Float32Array.of(1, 0.5) };
const byPair = tableGate(2, logits, true, calibration);
const byMention = tableGate(2, shared, false, calibration);

/** Scale and offset of the scorer with the larger relu(u + v), the first of equals. */
function gatedScore(isByPair: boolean, m: number, e: number): { score: number; part: number } {
  const { mention, entity } = isByPair ? logits : shared;
  const [ofA, ofB] = [0, 1].map((i) =>
    Math.max(0, mention[2 * m + i]! + entity[(isByPair ? 2 * e : 0) + i]!),
  );
  const part = ofB! > ofA! ? 1 : 0;
  return { part, score: part === 0 ? 2 * scoreOf(0, m, e) : scoreOf(1, m, e) + 1 };
}

for (const [name, isByPair, isCpu] of [
  ['pair', true, true],
  ['mention', false, true],
  ['pair, lanes sharing a row', true, false],
] as const) {
  const within = (body: () => Promise<void>) => () => pretend(isCpu, body);
  test(
    `a gate by ${name}: the chosen part's calibrated score counts, and choices are counted`,
    within(async () => {
      const gate = isByPair ? byPair : byMention;
      const gated = new Mixture('gated', [a, b], { gate });
      const { systems, choices, pairs } = await rankMentions({
        ...passOf([gated], [gate]),
        countsChoices: true,
      });
      check(systems['gated']!, (m, e) => gatedScore(isByPair, m, e).score);
      for (let m = 0; m < M; m++) {
        const counts = [0, 0, 0, 0];
        for (let e = 0; e < E; e++) {
          const { part } = gatedScore(isByPair, m, e);
          counts[part]!++;
          counts[2 + part]! += hasNoImage[e]!;
        }
        assert.equal([...choices!.counts!.subarray(4 * m, 4 * m + 4)], counts, `mention ${m}`);
        for (const { entity, part } of systems['gated']!.top[m]!) {
          assert.is(part, 'ab'[gatedScore(isByPair, m, entity).part]);
        }
        assert.is(choices!.gold[m], 'ab'[gatedScore(isByPair, m, gold[m]!).part]);
      }
      const computed = pairs.computed['a']! + pairs.computed['b']!;
      // By mention nothing is computed twice; by pair it is where the choices of a tile and a block differ.
      if (isByPair) assert.ok(computed < 2 * M * E, `${computed}`);
      else assert.is(computed, M * E);
    }),
  );
}

test('a gate and candidates: only their logits are read, and the best are those of a pass through all', async () => {
  const gated = new Mixture('gated', [a, b], { gate: byPair });
  const pass = passOf([gated], [byPair]);
  const all = await rankMentions(pass);
  const candidates = pairLists(
    all.systems['gated']!.top.map((top, m) => {
      const best = top.map(({ entity }) => entity);
      return [...best, best.includes(m) ? E - 1 : m];
    }),
  );
  const asked = new Set<number>();
  const entities = {
    ...pass.entities,
    logits: (gate: typeof byPair, of: readonly number[]) => {
      for (const row of of) asked.add(row);
      return pass.entities.logits(gate, of);
    },
  };
  const few = await rankMentions({ ...pass, entities, candidates });
  assert.equal(few.systems['gated']!.top, all.systems['gated']!.top);
  assert.equal(few.choices!.gold, all.choices!.gold);
  assert.equal(asked, new Set([...candidates.rows, ...gold].sort((x, y) => x - y)));
});

test('only candidates are scored; an answer among them is ranked among them', async () => {
  const lists = Array.from({ length: M }, (_, m) => {
    const own = new Set<number>(m % 2 === 0 ? [gold[m]!] : []);
    while (own.size < 4 + (m % 5)) own.add(Math.floor(next() * E));
    return [...own].sort((a, b) => a - b);
  });
  const candidates = pairLists(lists);
  const { systems, pairs } = await rankMentions({ ...passOf([a]), candidates });
  for (let m = 0; m < M; m++) {
    const among = lists[m]!;
    const { rank, best } = expected((m, e) => scoreOf(0, m, e), m, among);
    if (among.includes(gold[m]!)) assert.is(systems['a']!.ranks[m], rank, `rank of mention ${m}`);
    assert.equal(
      systems['a']!.top[m]!.map(({ entity, score }) => ({ entity, score })),
      best,
    );
  }
  assert.is(pairs.ranked, candidates.rows.length);
});

/** Whole numbers for some pairs, the gold ones of every other mention among them. */
function someAdditions() {
  const lists = pairLists(
    Array.from({ length: M }, (_, m) => [
      ...(m % 2 === 0 ? [gold[m]!] : []),
      ...Array.from({ length: m % 4 }, () => Math.floor(next() * E)),
    ]),
  );
  const additions = { ...lists, values: Float32Array.from(lists.rows, (_, i) => (i % 7) - 2) };
  const plus = (m: number, e: number) => {
    const at = listOf(lists, m).indexOf(e);
    return at < 0 ? 0 : additions.values[lists.offsets[m]! + at]!;
  };
  return { additions, plus };
}

test('with additions to some pairs: ranks and best entities of sorting all sums, those without stay', async () => {
  const { additions, plus } = someAdditions();
  const mean = meanOf('mean', [a, b]);
  const pass = passOf([a, mean]);
  const rankings = [
    ...pass.systems.map(plainRanking),
    { name: 'a+', system: a, additions },
    { name: 'mean+', system: mean, additions },
  ];
  const { systems } = await rankMentions({ ...pass, rankings });
  const ofMean = (m: number, e: number) => (scoreOf(0, m, e) + scoreOf(1, m, e)) / 2;
  check(systems['a']!, (m, e) => scoreOf(0, m, e));
  check(systems['mean']!, ofMean);
  check(systems['a+']!, (m, e) => scoreOf(0, m, e) + plus(m, e));
  check(systems['mean+']!, (m, e) => ofMean(m, e) + plus(m, e));
});

test('additions among candidates', async () => {
  const { additions, plus } = someAdditions();
  const candidates = joinLists(
    additions,
    pairLists(Array.from({ length: M }, (_, m) => [m, m + 1, gold[m]!])),
  );
  const rankings = [{ name: 'a+', system: a, additions }];
  const { systems } = await rankMentions({ ...passOf([a]), rankings, candidates });
  assert.equal(Object.keys(systems), ['a+'], 'what is not asked for is not ranked');
  for (let m = 0; m < M; m++) {
    const { rank, best } = expected((m, e) => scoreOf(0, m, e) + plus(m, e), m, [...listOf(candidates, m)]);
    assert.is(systems['a+']!.ranks[m], rank);
    assert.equal(
      systems['a+']!.top[m]!.map(({ entity, score }) => ({ entity, score })),
      best,
    );
  }
});

test('the scores of wanted pairs are those of the systems alone', async () => {
  const { additions } = someAdditions();
  const gated = new Mixture('gated', [a, b], { gate: byPair });
  const rankings = [{ name: 'a+', system: a, additions }];
  const { wanted } = await rankMentions({ ...passOf([a, gated], [byPair]), rankings, wanted: additions });
  assert.equal(Object.keys(wanted), ['a', 'gated']);
  for (let m = 0; m < M; m++) {
    for (let at = additions.offsets[m]!; at < additions.offsets[m + 1]!; at++) {
      const e = additions.rows[at]!;
      assert.is(wanted['a']![at], scoreOf(0, m, e));
      assert.is(wanted['gated']![at], gatedScore(true, m, e).score);
    }
  }
});

test('retrieval proposes the entities with the largest dot products, the lower number among equals', async () => {
  const { mentions, entities } = passOf([a]);
  const candidates = await retrieve(a, mentions, entities, 9);
  const { rows } = candidates;
  let proposed = 0;
  for (let m = 0; m < M; m++) {
    const best = [...Array(E).keys()].sort((a, b) => scoreOf(0, m, b) - scoreOf(0, m, a) || a - b);
    const own = best.slice(0, 9).sort((a, b) => a - b);
    assert.equal([...rows.subarray(9 * m, 9 * m + 9)], own, `mention ${m}`);
    if (own.includes(gold[m]!)) proposed++;
  }
  assert.is(recall(candidates, gold), (100 * proposed) / M);
  const all = await retrieve(a, mentions, entities, E + 5);
  assert.is(all.rows.length, M * E);
  assert.is(recall(all, gold), 100);
});

test('an answer that was not proposed ranks in the middle of what was not scored', () => {
  const candidates = pairLists([
    [5, 3],
    [0, 1, 2],
  ]);
  assert.equal(ranksAmongAll([2, 1], candidates, Int32Array.of(5, 7), 10), [2, 3 + 1 + 6 / 2]);
});

test('more best entities than there are: all of them', async () => {
  const { mentions } = passOf([a]);
  const entities = preparedEntities(preparedSide('entity', [a], [0, 0, 0]));
  const { systems } = await rankMentions({ systems: [a], mentions, entities, top: 5 });
  assert.ok(systems['a']!.top.every((own) => own.length === 3));
  assert.equal(systems['a']!.ranks, []);
});

test('a score that is not finite is an error that names the pair', async () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const before = entityVectors[1]![700 * d]!;
    entityVectors[1]![700 * d] = value;
    const gated = new Mixture('gated', [a, b], { gate: byMention });
    const alone = await failure(rankMentions(passOf([b])));
    assert.match(alone, /^mention \d+: its score with entity 700 is not finite \(b\)$/);
    const chosen = await failure(rankMentions(passOf([gated], [byMention])));
    assert.match(chosen, /^mention \d+: its score with entity 700, by b, is not finite \(gated\)$/);
    entityVectors[1]![700 * d] = before;
  }
});

test('mentions of all lengths share tiles by a system that says that lengths do not matter', async () => {
  let tiles = 0;
  const counting = (scorer: AnyScorer): AnyScorer => ({
    ...scorer,
    mentionSide(batch) {
      tiles++;
      return scorer.mentionSide(batch);
    },
  });
  const run = async (ignoresLengths: boolean) => {
    const own = counting({ ...a, ignoresLengths });
    tiles = 0;
    const { systems } = await rankMentions({
      ...passOf([own]),
      mentions: preparedMentions(
        preparedSide(
          'mention',
          [own],
          Array.from(lengths, (length) => 7 * length),
        ),
      ),
      entities: preparedEntities(preparedSide('entity', [own], hasNoImage)),
    });
    return { found: systems['a']!, tiles };
  };
  const [alike, any] = [await run(false), await run(true)];
  assert.equal(any.found, alike.found);
  assert.ok(alike.tiles > 5, `${alike.tiles} tiles`);
  assert.is(any.tiles, 1);
});

test('two gates and two parts of one name are refused', async () => {
  const gated = (name: string) => new Mixture(name, [a, b], { gate: byPair });
  assert.match(await failure(rankMentions(passOf([gated('x'), gated('y')], [byPair]))), /at most one gate/);
  const other = denseScorer('a', d, { mention: mentionVectors[1]!, entity: entityVectors[1]! });
  assert.match(await failure(rankMentions(passOf([a, other]))), /different names/);
});

test('the parts of a block are those that its pairs have', () => {
  for (let round = 0; round < 200; round++) {
    const some = (n: number): GateLogits => ({
      parts: 3,
      isShared: false,
      values: Float32Array.from({ length: 3 * n }, () => (next() - 0.6) * (round % 4 === 0 ? 0 : 1)),
    });
    const [u, v] = [some(2), some(2)];
    const choices = [0, 1, 2, 3].map((pair) => choiceOf(logitsOf(u, pair >> 1), logitsOf(v, pair & 1)));
    assert.equal(
      pickedParts(u, v),
      [0, 1, 2].map((part) => choices.includes(part)),
    );
  }
});

/** Two mixtures of a's and b's probabilities with scales of their own. */
const scales = { fixed: [0.4, 0.7], led: [0.6, 0.3] };
const fixed = new Mixture('fixed', [a, b], { shares: new FixedShares(device, scales.fixed) });
const led = new Mixture('led', [a, b], { shares: leadShares(scales.led) });

/** By mention the shares' logits less log-sum-exp of each part's scores among these entities. */
function offsets(by: 'fixed' | 'led', among: (m: number) => readonly number[]): number[][] {
  return Array.from({ length: M }, (_, m) => {
    const own = [0, 1].map((i) => among(m).map((e) => scoreOf(i, m, e)));
    // All mentions have an image.
    const logits = own.map((scores, i) => {
      const [first, , third] = scores.toSorted((x, y) => y - x);
      return by === 'fixed' ? 0 : (first! - third!) / 4 + i / 8;
    });
    const all = logSumExp(logits);
    return own.map(
      (scores, i) => logits[i]! - all - logSumExp(scores.map((score) => scales[by][i]! * score)),
    );
  });
}

/** Ranks and scores of a mixture: those of float64, but for scores that are nearly the gold entity's. */
function checkMixture(
  by: 'fixed' | 'led',
  { ranks, top, shares }: SystemResult,
  among: (m: number) => readonly number[],
): void {
  const known = offsets(by, among);
  for (let m = 0; m < M; m++) {
    const score = (e: number) =>
      logSumExp([0, 1].map((i) => known[m]![i]! + scales[by][i]! * scoreOf(i, m, e)));
    const scores = among(m).map(score);
    assert.ok(Math.abs(logSumExp(scores)) < 1e-9, 'probabilities');
    for (const found of top[m]!) assert.ok(Math.abs(found.score - score(found.entity)) < 1e-4);
    const best = scores.toSorted((x, y) => y - x);
    top[m]!.forEach(({ entity }, i) => {
      assert.ok(Math.abs(score(entity) - best[i]!) < 1e-4);
    });
    assert.ok(Math.abs(shares!.values[m]![0]! + shares!.values[m]![1]! - 1) < 1e-5);
    if (!among(m).includes(gold[m]!)) continue;
    const own = score(gold[m]!);
    const near = scores.filter((other) => Math.abs(other - own) < 1e-4).length - 1;
    const higher = scores.filter((other) => other - own >= 1e-4).length;
    assert.ok(Math.abs(ranks[m]! - (1 + higher + near / 2)) <= near / 2, `rank of mention ${m}`);
  }
}

forBothRowShapes((shape, within) => {
  test(
    `mixtures of probabilities beside their parts, a mean and a gate: all as alone (${shape})`,
    within(async () => {
      const gated = new Mixture('gated', [a, b], { gate: byPair });
      const all = [a, fixed, meanOf('mean', [a, b]), gated, led];
      const { systems, pairs } = await rankMentions(passOf(all, [byPair]));
      check(systems['a']!, (m, e) => scoreOf(0, m, e));
      const everybody = [...Array(E).keys()];
      checkMixture('fixed', systems['fixed']!, () => everybody);
      checkMixture('led', systems['led']!, () => everybody);
      assert.is(systems['a']!.shares, null);
      assert.equal(systems['gated'], (await rankMentions(passOf([gated], [byPair]))).systems['gated']);
      assert.equal(systems['a']!.goldScores[5], scoreOf(0, 5, gold[5]!));
      assert.equal(pairs, { ranked: M * E, computed: { a: 2 * M * E, b: 2 * M * E } });
    }),
  );
});

test('among candidates probabilities are those of the candidates', async () => {
  const candidates = await retrieve(a, passOf([a]).mentions, passOf([a]).entities, 9);
  const among = (m: number) => [...candidates.rows.subarray(9 * m, 9 * m + 9)];
  const { systems } = await rankMentions({ ...passOf([fixed, led]), candidates });
  checkMixture('fixed', systems['fixed']!, among);
  checkMixture('led', systems['led']!, among);
});

test('additions are to the logarithms of a mixture', async () => {
  const { additions, plus } = someAdditions();
  const rankings = [plainRanking(led), { name: 'led+', system: led, additions }];
  const { systems, wanted } = await rankMentions({ ...passOf([led]), top: E, rankings, wanted: additions });
  for (let m = 0; m < M; m += 13) {
    const own = new Map(systems['led']!.top[m]!.map(({ entity, score }) => [entity, score]));
    const found = systems['led+']!.top[m]!;
    for (const { entity, score } of found) {
      assert.ok(Math.abs(score - own.get(entity)! - plus(m, entity)) < 1e-5);
    }
    const above = found.filter(({ entity }) => entity !== gold[m]);
    const goldScore = found.find(({ entity }) => entity === gold[m])!.score;
    const higher = above.filter(({ score }) => score > goldScore).length;
    const equal = above.filter(({ score }) => score === goldScore).length;
    assert.ok(Math.abs(systems['led+']!.ranks[m]! - (1 + higher + equal / 2)) <= 1);
    for (let at = additions.offsets[m]!; at < additions.offsets[m + 1]!; at++) {
      assert.ok(Math.abs(wanted['led']![at]! - own.get(additions.rows[at]!)!) < 1e-5);
    }
  }
});

test('of a score that is not finite a mixture names the pair', async () => {
  const before = entityVectors[1]![700 * d]!;
  entityVectors[1]![700 * d] = Number.NaN;
  const message = await failure(rankMentions(passOf([fixed])));
  entityVectors[1]![700 * d] = before;
  assert.match(message, /^mention \d+: its score with entity 700 is not finite \(fixed\)$/);
});

test('nothing stays on the device', async () => {
  const { additions } = someAdditions();
  const rankings = [plainRanking(a), plainRanking(led), { name: 'a+', system: a, additions }];
  const run = () => rankMentions({ ...passOf([a, led]), rankings, wanted: additions });
  await run();
  const { liveBytes } = device.counters;
  await run();
  assert.is(device.counters.liveBytes, liveBytes);
});

async function failure(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (error: Error) => error.message,
  );
}

test.run();
