// Turns samples of MELBench into a data set of MIMIC's layout, in memory: which mentions are in which split, the rows
// of its files. Knows nothing of files.

import { createHash } from 'node:crypto';
import type { Split } from '../dataset.ts';
import { encodeName } from '../dataset.ts';
import type { MelbenchSample } from './melbench.ts';

export interface EntityRow {
  id: number;
  qid: string;
  entity_name: string;
  attr: string;
  type: string;
  image_list: string[];
}

export interface MentionRow {
  id: string;
  sentence: string;
  mentions: string;
  entities: string;
  answer: string;
  imgPath: string;
}

/** The split of each sample by its id; a sample that is not in it is left out. */
export type SplitOf = ReadonlyMap<string, Split>;

/**
 * Splits 70 % / 10 % / 20 % of the mentions (Table 5: 12,463 / 1,780 / 3,562 of RichpediaMEL and 18,092 / 2,585 of
 * WikiMEL come out so), where samples with the same sentence stay together, so that no sentence and no image is in two
 * splits. The order is that of the SHA-256 of seed and sentence: the same on every machine.
 */
export function randomSplits(samples: readonly MelbenchSample[], seed: number): SplitOf {
  const groups = new Map<string, MelbenchSample[]>();
  for (const sample of samples) {
    const group = groups.get(sample.sentence);
    if (group) group.push(sample);
    else groups.set(sample.sentence, [sample]);
  }
  const keyed = [...groups].map(([sentence, group]) => ({ key: hash(`${seed} ${sentence}`), group }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1));

  const total = samples.reduce((sum, { mentions }) => sum + mentions.length, 0);
  const room = { train: share(total, 7), dev: share(total, 1) };
  const splits = new Map<string, Split>();
  for (const { group } of keyed) {
    const size = group.reduce((sum, { mentions }) => sum + mentions.length, 0);
    // A group that no longer fits goes on to the next split; later, smaller ones fill the gap.
    const split = size <= room.train ? 'train' : size <= room.dev ? 'dev' : 'test';
    if (split !== 'test') room[split] -= size;
    for (const { id } of group) splits.set(id, split);
  }
  return splits;
}

/**
 * The knowledge base: each answer of `samples` once, in the order of the qids' numbers. `texts` are the attributes by
 * qid. Also the qids to which the samples give several names, of which the first is taken.
 */
export function entityRows(
  samples: readonly MelbenchSample[],
  texts: ReadonlyMap<string, string>,
): { rows: EntityRow[]; renamed: Set<string> } {
  const names = new Map<string, string>();
  const renamed = new Set<string>();
  for (const { qid, entity } of samples.flatMap(({ mentions }) => mentions)) {
    const known = names.get(qid);
    if (known === undefined) names.set(qid, entity);
    else if (known !== entity) renamed.add(qid);
  }
  const sorted = [...names].sort(([a], [b]) => Number(a.slice(1)) - Number(b.slice(1)));
  const rows = sorted.map(([qid, name], id) => ({
    id,
    qid,
    entity_name: encodeName(name),
    attr: texts.get(qid) ?? '',
    type: 'entity',
    image_list: [],
  }));
  return { rows, renamed };
}

/**
 * The mentions of each split. A mention's id is its sample's, with its number after it where the sample has several
 * ('45845-0', '45845-1'); the image is `ID.jpg`. Both are as MELBench's authors do it (MEL-GHMFC).
 */
export function mentionRows(
  samples: readonly MelbenchSample[],
  splits: SplitOf,
): Record<Split, MentionRow[]> {
  const rows: Record<Split, MentionRow[]> = { train: [], dev: [], test: [] };
  for (const { id, sentence, mentions } of samples) {
    const split = splits.get(id);
    if (split === undefined) continue;
    for (const [i, { word, entity, qid }] of mentions.entries()) {
      rows[split].push({
        id: mentions.length === 1 ? id : `${id}-${i}`,
        sentence,
        mentions: encodeName(word),
        entities: entity,
        answer: qid,
        imgPath: `${id}.jpg`,
      });
    }
  }
  return rows;
}

/** Tenths of `total` to the nearest integer, a half down. */
function share(total: number, tenths: number): number {
  return Math.ceil((tenths * total) / 10 - 0.5);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
