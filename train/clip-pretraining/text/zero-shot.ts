// How well texts find their entity with an encoder that has not been trained to link: dev's mentions against the whole
// knowledge base, by the similarity of texts alone.

import { entityText, type Mention, mentionText } from '../../../data/dataset.ts';
import type { Entity, MentionKind } from '../../../data/entity-mention.ts';
import type { Device } from '../../../engine/device.ts';
import { matmul } from '../../../engine/ops/matmul.ts';
import { type Metrics, metricsOf } from '../../../ranking/metrics.ts';
import type { Rows } from '../principal-axes.ts';
import { placesByName } from './by-name.ts';

/** Dev's texts and what each should find. */
export interface DevTexts {
  entities: string[];
  mentions: string[];
  /** Row of the entity by mention. */
  gold: number[];
  /** Of each mention, where the data set says so. */
  kinds: Mention['kind'][];
  /** Rows of the entities that have the mention's word for a name. */
  namesakes: number[][];
}

/** Metrics by what was ranked: all mentions, and those of each kind that there are. */
export interface ZeroShot {
  all: Metrics;
  gloss?: Metrics;
  sentence?: Metrics;
  /**
   * In percent, how often the right entity comes first among those that have the mention's word for a name, where it is one of
   * several; by kind. Null without such mentions.
   */
  senses: Readonly<Record<MentionKind, number | null>>;
}

/** Mentions whose scores are read at a time. */
const chunkMentions = 256;

export function devTexts(entities: readonly Entity[], mentions: readonly Mention[]): DevTexts {
  const byName = placesByName(entities);
  return {
    namesakes: mentions.map(({ word }) => byName.get(word.toLowerCase()) ?? []),
    entities: entities.map(entityText),
    mentions: mentions.map(mentionText),
    gold: mentions.map(({ entity }) => entity),
    kinds: mentions.map(({ kind }) => kind),
  };
}

/** Ranks by embeds of dev's texts; an entity that scores as high as the right one does not count against it. */
export async function zeroShot(
  device: Device,
  { gold, kinds, namesakes }: DevTexts,
  mentions: Rows,
  entities: Rows,
): Promise<ZeroShot> {
  const { width } = entities;
  const count = entities.values.length / width;
  const ranks: number[] = [];
  const senses: { kind: Mention['kind']; isRight: boolean }[] = [];
  for (let first = 0; first < gold.length; first += chunkMentions) {
    const n = Math.min(chunkMentions, gold.length - first);
    const scores = await device.scope(() =>
      device.read<'f32'>(
        matmul(
          device.tensor([n, width], mentions.values.slice(first * width, (first + n) * width)),
          device.tensor([count, width], entities.values),
          { transposeB: true },
        ),
      ),
    );
    for (let i = 0; i < n; i++) {
      const row = scores.subarray(i * count, (i + 1) * count);
      const answer = gold[first + i]!;
      const right = row[answer]!;
      const same = namesakes[first + i]!;
      if (same.length > 1 && same.includes(answer)) {
        senses.push({ kind: kinds[first + i], isRight: same.every((other) => row[other]! <= right) });
      }
      ranks.push(1 + row.reduce((above, score) => above + Number(score > right), 0));
    }
  }
  const of = (kind: Mention['kind']) => {
    const own = ranks.filter((_, i) => kinds[i] === kind);
    return own.length > 0 ? { [kind!]: metricsOf(own) } : {};
  };
  const rightOf = (kind: MentionKind) => {
    const own = senses.filter((sense) => sense.kind === kind);
    return own.length > 0 ? (100 * own.filter(({ isRight }) => isRight).length) / own.length : null;
  };
  return {
    all: metricsOf(ranks),
    ...of('gloss'),
    ...of('sentence'),
    senses: { gloss: rightOf('gloss'), sentence: rightOf('sentence') },
  };
}
