// Ranking against a whole knowledge base, on scores that are whole numbers and known on the host.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { EntityOperands, MentionVectors } from '../../model/dsmip/expert-vectors.ts';
import type { ExpertKind } from '../../model/dsmip/experts.ts';
import { choiceOf, type GateShares, pickedExperts, shareOf } from '../../ranking/gate-shares.ts';
import { ranksAmongAll, recall, retrieve } from '../../ranking/retrieval.ts';
import { rankMentions, type ScoringPass } from '../../ranking/scoring-pass.ts';
import type { EntitySource, MentionSource } from '../../ranking/sources.ts';
import { expertAlone, meanOf } from '../../ranking/systems.ts';
import { pretend } from '../support/adapter.ts';
import { device } from '../support/device.ts';
import { generator } from '../support/random.ts';
import { forBothRowShapes } from '../support/row-shapes.ts';

const [M, E, d] = [131, 1100, 3];
const next = generator(5);
const whole = (count: number, most: number) =>
  Float32Array.from({ length: count }, () => Math.floor(next() * (2 * most + 1)) - most);

/** Of each of two experts the whole texts' vectors; small numbers, so that many scores are equal. */
const mentionGlobals = [whole(M * d, 3), whole(M * d, 3)];
const entityGlobals = [whole(E * d, 3), whole(E * d, 3)];
const golds = Int32Array.from({ length: M }, () => Math.floor(next() * E));
const kinds: ExpertKind[] = ['text', 'text'];

/** Twice the dot product, whatever the tokens say: the text unit halves it, and values of 0 give no context. */
function scoreOf(expert: number, m: number, e: number): number {
  let sum = 0;
  for (let i = 0; i < d; i++) sum += mentionGlobals[expert]![m * d + i]! * entityGlobals[expert]![e * d + i]!;
  return sum;
}

function rowsOf(data: Float32Array, rows: readonly number[]): Float32Array<ArrayBuffer> {
  return Float32Array.from(rows.flatMap((row) => [...data.subarray(row * d, (row + 1) * d)]));
}

function mentionVectors(rows: readonly number[], expert: number): MentionVectors {
  const n = rows.length;
  return {
    text: {
      keys: device.zeros([n, 1, 4]),
      values: device.zeros([n, 1, 4]),
      mask: device.tensor([n, 1], new Int32Array(n).fill(1)),
      embeds: device.tensor(
        [n, d],
        rowsOf(mentionGlobals[expert]!, rows).map((x) => 2 * x),
      ),
    },
  };
}

function entityOperands(rows: readonly number[], expert: number): EntityOperands {
  const n = rows.length;
  return {
    text: {
      queries: device.zeros([n, 4]),
      offsets: Int32Array.from({ length: n + 1 }, (_, i) => i),
      weights: device.zeros([n, 4]),
      bias: device.zeros([n]),
      embeds: device.tensor([n, d], rowsOf(entityGlobals[expert]!, rows)),
    },
  };
}

const imageless = Uint8Array.from({ length: E }, (_, e) => (e % 3 === 0 ? 1 : 0));
const mentions: MentionSource = {
  count: M,
  lengths: Array.from({ length: M }, (_, m) => (m * 7) % 11),
  gate: null,
  vectors: mentionVectors,
  globals: (rows) => device.tensor([rows.length, d], rowsOf(mentionGlobals[0]!, rows)),
};
const entities: EntitySource = {
  count: E,
  gate: null,
  imageless,
  load: async (rows, asked) => () => asked.map((own, i) => (own ? entityOperands(rows, i) : null)),
  loadGlobals: async (rows) => () => device.tensor([rows.length, d], rowsOf(entityGlobals[0]!, rows)),
};
const pass: ScoringPass = { device, kinds, mentions, entities, systems: [], golds, top: 4 };

/** The same by sorting all scores of a mention: rank of the answer, and the four best. */
function expected(scores: (m: number, e: number) => number, m: number, among = [...Array(E).keys()]) {
  const own = scores(m, golds[m]!);
  const others = among.filter((e) => e !== golds[m]);
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
      const systems = [expertAlone('a', 0, 2), expertAlone('b', 1, 2), meanOf('mean', [true, true])];
      const { systems: found, pairs } = await rankMentions({ ...pass, systems });
      check(found['a']!, (m, e) => scoreOf(0, m, e));
      check(found['b']!, (m, e) => scoreOf(1, m, e));
      check(found['mean']!, (m, e) => (scoreOf(0, m, e) + scoreOf(1, m, e)) / 2);
      assert.equal(pairs, { ranked: M * E, computed: [M * E, M * E] });
    }),
  );
});

test('experts that no system needs are not asked', async () => {
  const { pairs } = await rankMentions({ ...pass, systems: [expertAlone('b', 1, 2)] });
  assert.equal(pairs.computed, [0, M * E]);
});

const calibration = Float32Array.of(2, 1, 0, 1);
const gated = { name: 'gated', calibration };
const ofMentions: GateShares = { experts: 2, isShared: false, values: whole(2 * M, 4) };
const ofEntities: GateShares = { experts: 2, isShared: false, values: whole(2 * E, 1).map((x) => x / 2) };
const ofAll: GateShares = { experts: 2, isShared: true, values: Float32Array.of(1, 0.5) };

/** Scale and offset of the expert with the larger relu(u + v), the first of equals. */
function gatedScore(v: GateShares, m: number, e: number): { score: number; expert: number } {
  const [a, b] = [0, 1].map((i) =>
    Math.max(0, ofMentions.values[2 * m + i]! + v.values[(v.isShared ? 0 : 2 * e) + i]!),
  );
  const expert = b! > a! ? 1 : 0;
  return { expert, score: expert === 0 ? 2 * scoreOf(0, m, e) : scoreOf(1, m, e) + 1 };
}

for (const [name, v, isCpu] of [
  ['pair', ofEntities, true],
  ['mention', ofAll, true],
  ['pair, lanes sharing a row', ofEntities, false],
] as const) {
  const within = (body: () => Promise<void>) => () => pretend(isCpu, body);
  test(
    `a gate by ${name}: the chosen expert's calibrated score counts, and choices are counted`,
    within(async () => {
      const sources = { mentions: { ...mentions, gate: ofMentions }, entities: { ...entities, gate: v } };
      const { systems, picked, pairs } = await rankMentions({ ...pass, ...sources, systems: [gated] });
      check(systems['gated']!, (m, e) => gatedScore(v, m, e).score);
      for (let m = 0; m < M; m++) {
        const counts = [0, 0, 0, 0];
        for (let e = 0; e < E; e++) {
          const { expert } = gatedScore(v, m, e);
          counts[expert]!++;
          counts[2 + expert]! += imageless[e]!;
        }
        assert.equal([...picked.subarray(4 * m, 4 * m + 4)], counts, `mention ${m}`);
        for (const { entity, expert } of systems['gated']!.top[m]!) {
          assert.is(expert, gatedScore(v, m, entity).expert);
        }
      }
      const asked = pairs.computed[0]! + pairs.computed[1]!;
      // By mention nothing is computed twice; by pair it is where the choices of a tile and a block differ.
      if (v.isShared) assert.is(asked, M * E);
      else assert.ok(asked < 2 * M * E, `${asked}`);
    }),
  );
}

test('only candidates are scored; an answer among them is ranked among them', async () => {
  const count = 7;
  const rows = Array.from({ length: M }, (_, m) => {
    const own = new Set<number>(m % 2 === 0 ? [golds[m]!] : []);
    while (own.size < count) own.add(Math.floor(next() * E));
    return [...own].sort((a, b) => a - b);
  }).flat();
  const candidates = { rows: Int32Array.from(rows), count };
  const { systems, pairs } = await rankMentions({ ...pass, systems: [expertAlone('a', 0, 2)], candidates });
  for (let m = 0; m < M; m++) {
    const among = rows.slice(m * count, (m + 1) * count);
    const { rank, best } = expected((m, e) => scoreOf(0, m, e), m, among);
    if (among.includes(golds[m]!)) assert.is(systems['a']!.ranks[m], rank, `rank of mention ${m}`);
    assert.equal(
      systems['a']!.top[m]!.map(({ entity, score }) => ({ entity, score })),
      best,
    );
  }
  assert.is(pairs.ranked, M * count);
});

test('retrieval proposes the entities with the largest dot products, the lower number among equals', async () => {
  const candidates = await retrieve(device, mentions, entities, 9);
  const { rows } = candidates;
  let proposed = 0;
  for (let m = 0; m < M; m++) {
    const best = [...Array(E).keys()].sort((a, b) => scoreOf(0, m, b) - scoreOf(0, m, a) || a - b);
    const own = best.slice(0, 9).sort((a, b) => a - b);
    assert.equal([...rows.subarray(9 * m, 9 * m + 9)], own, `mention ${m}`);
    if (own.includes(golds[m]!)) proposed++;
  }
  assert.is(recall(candidates, golds), (100 * proposed) / M);
  const all = await retrieve(device, mentions, entities, E + 5);
  assert.is(all.count, E);
  assert.is(recall(all, golds), 100);
});

test('an answer that was not proposed ranks in the middle of what was not scored', () => {
  const candidates = { count: 2, rows: Int32Array.of(3, 5, 0, 1) };
  assert.equal(ranksAmongAll([2, 1], candidates, Int32Array.of(5, 7), 10), [2, 2 + 1 + 7 / 2]);
});

test('more best entities than there are: all of them', async () => {
  const few = { ...entities, count: 3, imageless: imageless.slice(0, 3) };
  const { systems } = await rankMentions({
    device,
    kinds,
    mentions,
    entities: few,
    systems: [expertAlone('a', 0, 2)],
    top: 5,
  });
  assert.ok(systems['a']!.top.every((own) => own.length === 3));
  assert.equal(systems['a']!.ranks, []);
});

test('a score that is not finite is an error that names the pair', async () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const before = entityGlobals[1]![700 * d]!;
    entityGlobals[1]![700 * d] = value;
    const sources = { mentions: { ...mentions, gate: ofMentions }, entities: { ...entities, gate: ofAll } };
    const alone = await failure(rankMentions({ ...pass, systems: [expertAlone('b', 1, 2)] }));
    assert.match(alone, /^mention \d+: its score with entity 700 is not finite \(b\)$/);
    const chosen = await failure(rankMentions({ ...pass, ...sources, systems: [gated] }));
    assert.match(
      chosen,
      /^mention \d+: its score with entity 700, by the text expert, is not finite \(gated\)$/,
    );
    entityGlobals[1]![700 * d] = before;
  }
});

test('the experts of a block are those that its pairs have', () => {
  for (let round = 0; round < 200; round++) {
    const shares = (n: number): GateShares => ({
      experts: 3,
      isShared: false,
      values: Float32Array.from({ length: 3 * n }, () => (next() - 0.6) * (round % 4 === 0 ? 0 : 1)),
    });
    const [u, v] = [shares(2), shares(2)];
    const choices = [0, 1, 2, 3].map((pair) => choiceOf(shareOf(u, pair >> 1), shareOf(v, pair & 1)));
    assert.equal(
      pickedExperts(u, v),
      [0, 1, 2].map((expert) => choices.includes(expert)),
    );
  }
});

test('nothing stays on the device', async () => {
  const run = () => rankMentions({ ...pass, systems: [expertAlone('a', 0, 2)] });
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
