// What training mentions say of experts' scores, so that scores of different experts can be brought together without
// training anything: how far an expert's scores lie apart, and what they have to be multiplied by to be the logits of
// probabilities.

import { pickSamples } from '../../encoding/samples.ts';
import { noGrad } from '../../engine/autograd.ts';
import type { Session } from '../../link/session.ts';
import type { AnyScorer } from '../../ranking/scorer.ts';
import {
  type EntitySource,
  type MentionSource,
  preparedEntities,
  preparedMentions,
  prepareSamples,
  range,
} from '../../ranking/sources.ts';

export interface ScoreStatistics {
  /** Standard deviation of a mention's scores over the entities that any of the scorers has among its best. */
  deviation: number;
  /** The factor that makes the softmax of scores the likeliest: the least mean of -log p(gold). */
  scale: number;
}

/** Mentions and entities that are looked at, at most, spread evenly over all there are. */
const mostMentions = 256;
const mostEntities = 4096;
/** Best entities of each scorer that a deviation is taken over. */
const best = 16;
const atOnce = { mentions: 64, entities: 512 };

/** Statistics of each scorer's scores of the session's training mentions. */
export async function scoreStatistics(
  { corpus, features }: Session,
  scorers: readonly AnyScorer[],
): Promise<ScoreStatistics[]> {
  const { entities, gold } = corpus;
  const rows = spread(corpus.mentions.train.images.length, mostMentions);
  const samples = pickSamples(corpus.mentions.train, rows);
  const mentions = preparedMentions(await prepareSamples(scorers, 'mention', samples, features));
  const others = spread(entities.images.length, mostEntities);
  const columns = [...new Set([...others, ...rows.map((row) => gold.train[row]!)])].sort((a, b) => a - b);
  // As others prepare them, where it is all: features that are kept are found again.
  const picked = columns.length < entities.images.length ? pickSamples(entities, columns) : entities;
  const entitySource = preparedEntities(await prepareSamples(scorers, 'entity', picked, features));
  const places = new Map(columns.map((entity, place) => [entity, place]));
  const scores: Float32Array[] = [];
  for (const scorer of scorers) scores.push(await allScores(scorer, mentions, entitySource));
  return statisticsOf(
    scores,
    rows.map((row) => places.get(gold.train[row]!)!),
    Math.log(entities.images.length / columns.length),
  );
}

/**
 * Statistics from scores [mentions, entities] of each scorer. `logWeight`: the logarithm of how many entities each of
 * those that are not gold stands for.
 */
export function statisticsOf(
  scores: readonly ArrayLike<number>[],
  gold: readonly number[],
  logWeight = 0,
): ScoreStatistics[] {
  const [M, E] = [gold.length, scores[0]!.length / gold.length];
  const rowsOf = (all: ArrayLike<number>) =>
    gold.map((_, m) => Float64Array.from({ length: E }, (_, e) => all[m * E + e]!));
  const rows = scores.map(rowsOf);
  const near = range(0, M).map((m) => {
    const found = rows.flatMap((own) => [...bestOf(own[m]!)]);
    return [...new Set(found)];
  });
  return rows.map((own) => {
    const variances = own.map((row, m) => varianceOf(near[m]!.map((e) => row[e]!)));
    return {
      deviation: Math.sqrt(Math.max(variances.reduce((sum, variance) => sum + variance, 0) / M, 1e-12)),
      scale: likeliestScale(own, gold, logWeight),
    };
  });
}

/** The columns of a row's best scores. */
function bestOf(row: Float64Array): number[] {
  const order = range(0, row.length).sort((a, b) => row[b]! - row[a]!);
  return order.slice(0, best);
}

function varianceOf(values: readonly number[]): number {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
}

/**
 * The c of the least mean of log sum_e w_e exp(c s_e) - c s_gold, w_e = 1 for the gold entity. It is convex in c, and c is
 * found by halving a range of its logarithm until the derivative, mean of E_p[s] - s_gold, changes sign.
 */
function likeliestScale(rows: readonly Float64Array[], gold: readonly number[], logWeight: number): number {
  const slope = (c: number) =>
    rows.reduce((total, row, m) => {
      const own = row[gold[m]!]!;
      const top = row.reduce((most, x) => Math.max(most, c * (x - own) + logWeight), 0);
      let [sum, moment] = [Math.exp(-top), 0];
      for (const [e, x] of row.entries()) {
        if (e === gold[m]) continue;
        const p = Math.exp(c * (x - own) + logWeight - top);
        sum += p;
        moment += p * (x - own);
      }
      return total + moment / sum;
    }, 0);
  let [low, high] = [Math.log(1e-3), Math.log(1e3)];
  for (let i = 0; i < 24; i++) {
    const middle = (low + high) / 2;
    if (slope(Math.exp(middle)) < 0) low = middle;
    else high = middle;
  }
  return Math.exp((low + high) / 2);
}

/** All scores [mentions, entities] of a scorer, on the host. */
async function allScores(
  scorer: AnyScorer,
  mentions: MentionSource,
  entities: EntitySource,
): Promise<Float32Array> {
  const { device } = scorer;
  const found = new Float32Array(mentions.count * entities.count);
  const parts: number[][] = [];
  for (let first = 0; first < mentions.count; first += atOnce.mentions) {
    parts.push(range(first, Math.min(atOnce.mentions, mentions.count - first)));
  }
  for (let from = 0; from < entities.count; from += atOnce.entities) {
    const columns = range(from, Math.min(atOnce.entities, entities.count - from));
    const load = await entities.load([scorer], columns);
    const blocks = device.scope(() =>
      noGrad(() => {
        const [side] = load();
        return parts.map((rows) =>
          device.scope(() => device.read<'f32'>(scorer.scores(mentions.side(scorer, rows), side))),
        );
      }),
    );
    for (const [part, block] of (await Promise.all(blocks)).entries()) {
      for (const [i, row] of parts[part]!.entries()) {
        const scores = block.subarray(i * columns.length, (i + 1) * columns.length);
        found.set(scores, row * entities.count + from);
      }
    }
  }
  return found;
}

/** Numbers below n, all of them or `most`, evenly spread. */
export function spread(n: number, most: number): number[] {
  const count = Math.min(n, most);
  return Array.from({ length: count }, (_, i) => Math.floor((i * n) / count));
}
