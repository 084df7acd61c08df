// How well a trained run links ordinary sentences, without pictures:
//   node bench/quality/ordinary-sentences.ts --run runs/default
//   node bench/quality/ordinary-sentences.ts --run runs/mine --input my-sentences.jsonl --json
// A file's lines are {"word", "sentence", "entity", "type"}, as in tests/fixtures/ordinary-sentences.jsonl, which is for
// testing only: nothing is trained or tuned on it.

import { fileURLToPath } from 'node:url';
import { textTable } from '../../eval/text-table.ts';
import { openLinker } from '../../link/linker.ts';
import { on, parseFlags, reportError, text } from '../scale/flags.ts';
import { linkSentences, type Quality } from './link-sentences.ts';
import { readSentences } from './sentences.ts';

const fixture = fileURLToPath(new URL('../../tests/fixtures/ordinary-sentences.jsonl', import.meta.url));

const FLAGS = {
  run: text('runs/default', 'folder of a run with its index, or of an index'),
  input: text('', 'sentences as JSON lines of word, sentence, entity and type; none: those of the tests'),
  json: on('print JSON'),
};

try {
  const usage = 'usage: node bench/quality/ordinary-sentences.ts [flags]';
  const options = parseFlags(usage, FLAGS, process.argv.slice(2));
  if (options) await main(options);
} catch (error) {
  process.exitCode = reportError(error);
}

async function main({ run, input, json }: { run: string; input: string; json: boolean }): Promise<void> {
  const sentences = await readSentences(input === '' ? fixture : input);
  const linker = await openLinker(run);
  try {
    const quality = await linkSentences(linker, sentences);
    console.log(json ? JSON.stringify(quality, null, 2) : textTable(rowsOf(quality)).join('\n'));
  } finally {
    await linker.close();
  }
}

function rowsOf({
  homonyms,
  unambiguous,
  firstHasName,
  missing,
  confidence,
  calibrationError,
}: Quality): string[][] {
  const share = (value: number | null) => (value === null ? '-' : `${value.toFixed(1)} %`);
  const part = (value: number | null) => (value === null ? '-' : value.toFixed(3));
  return [
    [`homonyms, ${homonyms.sentences} sentences`],
    ['  H@1', share(homonyms['hits@1'])],
    ['  right sense, among those of the name', share(homonyms.rightSense)],
    [`unambiguous names, ${unambiguous.sentences} sentences`],
    ['  H@1', share(unambiguous['hits@1'])],
    ['of both: first answer has the name', share(firstHasName)],
    [`not in the knowledge base, ${missing.sentences} sentences`],
    [`  AUROC of none of them, by ${confidence}`, part(missing.auroc)],
    ['  the same, where the word is a name there', part(missing.aurocOfNames)],
    ['calibration error of the first answer', part(calibrationError)],
  ];
}
