// The texts of pretraining: what is in them, and what must not be.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readDataset } from '../../../data/dataset.ts';
import type { MarkedSentence } from '../../../data/openconcepts-builder/marked-sentences.ts';
import { readWordNet } from '../../../data/openconcepts-builder/wordnet.ts';
import { pretrainingCorpus } from '../../../train/clip-pretraining/text/corpus.ts';
import { TextBatches } from '../../../train/clip-pretraining/text/text-batches.ts';
import { RandomStream } from '../../../train/random-stream.ts';
import { toySentences, writeToyDataset, writeToyWordNet } from './toy.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-corpus-'));
const dict = join(folder, 'dict');
writeToyDataset(join(folder, 'data'));
writeToyWordNet(dict);
const dataset = await readDataset(join(folder, 'data'));
const wordNets = {
  noun: readWordNet(dict),
  verb: readWordNet(dict, 'verb'),
  adj: readWordNet(dict, 'adj'),
  adv: readWordNet(dict, 'adv'),
};
const corpusOf = (seed: number, limit = 0, sentences: MarkedSentence[] = []) =>
  pretrainingCorpus(
    dataset,
    wordNets,
    { limit, contextWords: 1, sentences, mentions: true },
    new RandomStream(seed),
  );

test('the same seed gives the same texts, each once, another seed another order', () => {
  const [a, b, c] = [corpusOf(1), corpusOf(1), corpusOf(5)];
  assert.equal(a, b);
  assert.is(new Set(a.texts).size, a.texts.length);
  assert.equal([...a.texts].sort(), [...c.texts].sort());
  assert.not.equal(a.texts, c.texts);
});

test('words have two senses outside of the knowledge base, each with both kinds of text', () => {
  const { texts, words } = corpusOf(1);
  const shown = words.map((senses) =>
    senses.map(({ synset, entities, mentions }) => ({
      synset,
      entities: entities.map((row) => texts[row]),
      mentions: mentions.map((row) => texts[row]),
    })),
  );
  shown.sort((a, b) => a[0]!.synset.localeCompare(b[0]!.synset));
  assert.equal(
    shown.map((senses) => senses.map(({ synset }) => synset)),
    [
      ['00000003', '00000004'],
      ['00000006', '00000007'],
      ['00000012', '00000013'],
    ],
  );
  assert.equal(shown[1], [
    {
      synset: '00000006',
      entities: ['plant : artifact works'],
      mentions: ['plant : buildings for making things.', 'plant : they built a large plant'],
    },
    {
      synset: '00000007',
      // Its type is the word itself.
      entities: ['plant : flora'],
      // The other example has the word's synonym.
      mentions: ['plant : a living thing without locomotion.'],
    },
  ]);
});

test('example sentences come with one of their nouns, but for the word that they are examples of', () => {
  const { texts, contexts } = corpusOf(1);
  const shown = contexts.map((row) => texts[row]!).sort();
  assert.ok(shown.includes('plants : Water the plants every day'), shown.join('; '));
  assert.ok(shown.includes('bank : they sat on the bank of the river'), shown.join('; '));
  assert.not(
    shown.some((text) => text.endsWith('Water it')),
    'too short',
  );
});

test('no text says what a synset of the knowledge base or a mention says, but for sentences of training entities', () => {
  const { texts, spoken, sentences, sentenceContexts } = corpusOf(1);
  const own = new Set([...sentences, ...sentenceContexts]);
  const said = texts
    .filter((_, row) => !own.has(row))
    .map((text) =>
      text
        .slice(text.indexOf(' : ') + 3)
        .toLowerCase()
        .replace(/\W+$/, ''),
    );
  const banned = [
    ...Object.values(toySentences)
      .flat()
      .map(({ sentence }) => sentence),
    'small rodent with a long tail',
    'a mouse of the fields',
    'a pointing device',
    'he moved the mouse',
    'a round dish',
  ];
  for (const text of banned) assert.not(said.includes(text.toLowerCase().replace(/\W+$/, '')), text);
  assert.equal(
    spoken.map(({ entity, sentences }) => [entity, sentences.map((row) => texts[row])]),
    [
      [0, ['mouse : The mouse ate the cheese in our kitchen.', 'rodent : A rodent ran along the bank.']],
      [1, ['mouse : My mouse has lost its cable again.']],
      [4, ['apple : She bit into a red apple at lunch.']],
    ],
  );
  assert.equal(sentences, [
    spoken[0]!.sentences[0],
    spoken[1]!.sentences[0],
    spoken[2]!.sentences[0],
    spoken[0]!.sentences[1],
  ]);
  assert.equal(
    sentenceContexts.map((row) => texts[row]),
    ['bank : A rodent ran along the bank.'],
  );
  // A rodent is one name of the first mouse only.
  assert.equal(
    spoken.map(({ homonyms }) => homonyms),
    [[[1], []], [[0]], [[]]],
  );
});

test('a part of the corpus keeps pairs and contexts in their proportion', () => {
  const [all, some] = [corpusOf(1), corpusOf(1, 5)];
  assert.ok(some.words.length >= 1 && some.words.length < all.words.length);
  assert.equal(some.words, all.words.slice(0, some.words.length));
  assert.ok(some.contexts.length < all.contexts.length);
});

test('batches: senses of a word and entities of a name together, pairs in their places', () => {
  const corpus = corpusOf(1);
  const others = { contexts: 1, entities: 3, sentences: 2, sentenceContexts: 1 };
  const counts = { pairs: 4, spoken: 2, others };
  const batches = new TextBatches(corpus, counts, new RandomStream(3));
  for (let i = 0; i < 20; i++) {
    const { rows, senses, spoken } = batches.next();
    assert.is(senses.count, 4);
    assert.is(spoken.first, 8);
    assert.ok(spoken.count === 2 || spoken.count === 3);
    assert.is(rows.length, 2 * (senses.count + spoken.count) + 7);
    for (const { first, count, meanings } of [senses, spoken]) {
      assert.is(meanings.length, count);
      for (let k = 0; k < count; k++) {
        const sense = corpus.words.flat().find(({ synset }) => synset === meanings[k]);
        const place = corpus.spoken.find(({ entity }) => entity === meanings[k]);
        const entityRows = sense?.entities ?? [corpus.entities[place!.entity]!];
        assert.ok(entityRows.includes(rows[first + k]!));
        assert.ok((sense?.mentions ?? place!.sentences).includes(rows[first + count + k]!));
      }
    }
    for (const senses of corpus.words) {
      const inBatch = senses.filter(({ entities }) => rows.slice(0, 4).includes(entities[0]!));
      assert.ok(inBatch.length === 0 || inBatch.length === senses.length);
    }
    // Both mice, unless the first is called a rodent.
    if (spoken.meanings[0] === 1) assert.ok(spoken.meanings.includes(0));
  }
});

test.after(() => rmSync(folder, { recursive: true }));

test('further sentences speak of training entities, and of no others', () => {
  const [train, dev] = [dataset.splits.train[0]!, dataset.splits.dev[0]!].map(({ entity, word }) => ({
    offset: dataset.entities[entity]!.qid.slice(5, 13),
    word,
    sentence: `somebody spoke of ${word} at length`,
  }));
  const { texts, sentences } = corpusOf(1, 0, [train!]);
  assert.is(sentences.length, corpusOf(1).sentences.length + 1);
  assert.is(texts[sentences.at(-1)!], `${train!.word} : ${train!.sentence}`);
  assert.throws(() => corpusOf(1, 0, [dev!]), /expected an entity of the training split/);
  const said = { ...train!, sentence: dataset.splits.dev[0]!.sentence };
  assert.throws(() => corpusOf(1, 0, [said]), /expected no sentence of the data set/);
});

test.run();
