// The figures of a linker on sentences, by hand for a few of them; the form of the file; and that the fixture fits the
// knowledge base that it was written for.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { linkSentences } from '../../../bench/quality/link-sentences.ts';
import { readSentences, type Sentence } from '../../../bench/quality/sentences.ts';
import { readDataset } from '../../../data/dataset.ts';
import { InputError } from '../../../files/errors.ts';
import type { Linked, Linker, LinkMention } from '../../../link/linker.ts';

const pathOf = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dsmip-sentences-'));
test.after(() => rmSync(folder, { recursive: true }));

/** A linker of given answers by sentence: names and ids, best first, and how sure it is of the first. */
function linkerOf(
  answers: Readonly<Record<string, readonly [names: string, confidence: number]>>,
  isCalibrated: boolean,
) {
  return {
    async link(mentions: readonly LinkMention[]): Promise<Linked[][]> {
      return mentions.map(({ sentence }) => {
        const [names, confidence] = answers[sentence]!;
        return names.split(' ').map((each, i): Linked => {
          const [name, sense] = each.split('/') as [string, string];
          const [inKnowledgeBase, probability] = isCalibrated
            ? [confidence, i === 0 ? 0.9 : 0.05]
            : [null, null];
          const answer = { qid: `${name}/${sense}`, name, attributes: '', expert: null };
          return { ...answer, score: confidence - i, probability, inKnowledgeBase };
        });
      });
    },
  } satisfies Pick<Linker, 'link'>;
}

const sentences: Sentence[] = [
  { word: 'Bat', sentence: 's1', entity: 'bat/1', type: 'homonym' },
  { word: 'bats', sentence: 's2', entity: 'bat/2', type: 'homonym' },
  { word: 'bat', sentence: 's3', entity: 'bat/2', type: 'homonym' },
  { word: 'sun', sentence: 's4', entity: 'sun/1', type: 'unambiguous' },
  { word: 'fax', sentence: 's5', entity: null, type: 'missing' },
  { word: 'sun', sentence: 's6', entity: null, type: 'missing' },
];
const answers = {
  s1: ['bat/1 sun/1 bat/2', 0.9],
  s2: ['sun/1 bat/2 bat/1', 0.8],
  s3: ['bat/1 bat/2 sun/1', 0.3],
  s4: ['sun/1 bat/1', 0.7],
  s5: ['bat/1 sun/1', 0.1],
  s6: ['sun/1 bat/1', 0.75],
} as const;

test('hits, senses, names and confidence are counted', async () => {
  const { calibrationError, ...quality } = await linkSentences(linkerOf(answers, true), sentences);
  assert.equal(quality, {
    homonyms: { sentences: 3, 'hits@1': 100 / 3, rightSense: 200 / 3 },
    unambiguous: { sentences: 1, 'hits@1': 100 },
    firstHasName: 75,
    // Of the eight pairs all but those of 0.3 and 0.7 with 0.75 are in order; of the four with a name two.
    missing: { sentences: 2, auroc: 6 / 8, aurocOfNames: 2 / 4 },
    confidence: 'inKnowledgeBase',
  });
  // Two of the four that are not missing are right; all were said to be so with 0.9.
  const expected = 0.9 - 2 / 4;
  assert.ok(Math.abs(calibrationError! - expected) < 1e-12, `${calibrationError}`);
});

test('without probabilities the scores are compared, and without missing ones nothing', async () => {
  const linker = linkerOf(answers, false);
  const quality = await linkSentences(linker, sentences);
  assert.is(quality.confidence, 'score');
  assert.is(quality.missing.auroc, 6 / 8);
  assert.is(quality.calibrationError, null);
  const some = await linkSentences(linker, sentences.slice(0, 3));
  assert.is(some.unambiguous['hits@1'], null);
  assert.is(some.missing.auroc, null);
});

test('a wrong line is named by file, line and field', async () => {
  const file = join(folder, 'sentences.jsonl');
  for (const [line, message] of [
    [
      '{"word":"a","sentence":"b","entity":null}',
      /line 2: type: expected one of homonym, .*, found nothing$/,
    ],
    [
      '{"word":"a","sentence":"b","entity":"Q1","type":"missing"}',
      /line 2: entity: expected null for what is/,
    ],
    [
      '{"word":"a","sentence":"b","entity":null,"type":"homonym"}',
      /line 2: entity: expected null for what is/,
    ],
    ['{"word":"a","sentence":"b","entity":7,"type":"homonym"}', /line 2: entity: expected .*, found 7$/],
  ] as const) {
    writeFileSync(file, `${JSON.stringify(sentences[0])}\n${line}`);
    const error = await readSentences(file).catch((thrown: Error) => thrown);
    assert.instance(error, InputError);
    assert.match((error as Error).message, message);
  }
  writeFileSync(file, '\n');
  assert.match(
    (await readSentences(file).catch((thrown: Error) => thrown)).toString(),
    /at least one sentence/,
  );
});

test('the ordinary sentences name entities of the included knowledge base by their names', async () => {
  const fixture = await readSentences(pathOf('tests/fixtures/ordinary-sentences.jsonl'));
  const { entities } = await readDataset(pathOf('data/openconcepts'));
  const names = new Map(entities.map(({ qid, name }) => [qid, name.toLowerCase()]));
  const counts = new Map<string, number>();
  for (const { word, sentence, entity, type } of fixture) {
    counts.set(type, (counts.get(type) ?? 0) + 1);
    assert.ok(sentence.includes(word), sentence);
    if (entity === null) continue;
    const name = names.get(entity);
    assert.ok(
      name !== undefined && [name, `${name}s`].includes(word.toLowerCase()),
      `${entity}: ${name}, ${word}`,
    );
  }
  assert.equal(Object.fromEntries(counts), { homonym: 148, unambiguous: 50, missing: 60 });
});

test.run();
