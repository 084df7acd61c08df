// Mentions of a split that are also asked as if their entity were not in the knowledge base.

import { InputError } from '../files/errors.ts';
import type { Dataset } from './dataset.ts';
import type { Mention, Split } from './entity-mention.ts';

/**
 * The rows of a split's mentions that are judged once more without their entity: those that the data set repeats as
 * unlinkable, or all of a split without such. Throws InputError for an unlinkable mention that repeats none.
 */
export function takenOutRows({ name, splits, unlinkable }: Dataset, split: Split): number[] {
  const repeated = split === 'train' ? [] : unlinkable[split];
  if (repeated.length === 0) return splits[split].map((_, row) => row);
  const rows = new Map(splits[split].map((mention, row) => [keyOf(mention), row]));
  return repeated.map((mention) => {
    const row = rows.get(keyOf(mention));
    if (row !== undefined) return row;
    throw new InputError(`${name}: unlinkable mention ${mention.id}: expected a mention of ${split} again`);
  });
}

function keyOf({ word, sentence, image, entity }: Mention): string {
  return JSON.stringify([word, sentence, image, entity]);
}
