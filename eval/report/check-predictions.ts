// Predictions and data set must belong together: a report of the wrong sentences would look right.

import type { Dataset, Split } from '../../data/dataset.ts';
import { InputError } from '../../files/errors.ts';
import type { RunFiles } from './read-run.ts';

/** Throws InputError, naming the file at `path`, for the first prediction that is not of the data set. */
export function checkPredictions(path: string, { results, predictions }: RunFiles, dataset: Dataset): void {
  if (!results) return;
  const mentions = dataset.splits[results.split as Split] as Dataset['splits'][Split] | undefined;
  if (!mentions) {
    throw new InputError({
      file: path,
      field: 'split',
      expected: 'train, dev or test',
      found: results.split,
    });
  }
  for (const [i, { mention, word, answer }] of predictions.entries()) {
    const own = mentions[mention];
    const wrong = (field: string, found: unknown, expected: unknown) =>
      new InputError(
        `${path}: line ${i + 1}: ${field}: expected ${expected}, found ${found}; was it another data set?`,
      );
    if (!own) throw wrong('mention', mention, `less than ${mentions.length}`);
    if (own.word !== word) throw wrong('word', word, own.word);
    const gold = dataset.entities[own.entity]!.qid;
    if (gold !== answer) throw wrong('answer', answer, gold);
  }
}
