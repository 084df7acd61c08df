// A BERT of a few thousand weights for the toy, with WordPiece of the toy's own texts.

import { join } from 'node:path';
import { entityText, mentionText } from '../../data/entity-mention.ts';
import { trainWordPiece } from '../../data/text/wordpiece/wordpiece-trainer.ts';
import { Random } from '../../engine/random.ts';
import type { Session } from '../../link/session.ts';
import { Bert } from '../../model/bert/bert.ts';
import { saveBert } from '../../model/bert/save-bert.ts';
import { initialise } from '../../model/initialise.ts';

/** Writes it into a folder below `folder`, which it gives. */
export async function makeToyBert(folder: string, { device, dataset }: Session): Promise<string> {
  const bert = join(folder, 'bert');
  const texts = [
    ...dataset.entities.map(entityText),
    ...dataset.splits.train.map((mention) => mentionText(mention)),
  ];
  const tokens = trainWordPiece(texts, { vocabularySize: 200, minFrequency: 1 });
  const config = {
    width: 16,
    hidden: 32,
    heads: 2,
    layers: 1,
    vocabulary: tokens.length,
    maxLength: 64,
    types: 2,
    eps: 1e-12,
  };
  const { tensors } = initialise(device, new Random(1), (p) => new Bert(p, config));
  await saveBert(bert, config, tensors, tokens);
  return bert;
}
