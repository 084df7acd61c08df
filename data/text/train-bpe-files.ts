// Trains a vocabulary on text files and writes it in Hugging Face's layout.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeTextAtomically } from '../../files/atomic-file.ts';
import { fileError } from '../../files/errors.ts';
import { readText } from '../../files/read-text.ts';
import { trainBpe } from './bpe-trainer.ts';

/**
 * Trains on every line of the text files (UTF-8) and writes vocab.json and merges.txt into `folder`; gives the number of
 * tokens. Throws InputError for a file that cannot be read or written; nothing is written then.
 */
export async function trainBpeFiles(
  texts: readonly string[],
  folder: string,
  options: Parameters<typeof trainBpe>[1],
): Promise<number> {
  const { vocab, merges } = trainBpe(await Promise.all(texts.map((file) => readText(file))), options);
  await mkdir(folder, { recursive: true }).catch((error) => {
    throw fileError(folder, error, 'written');
  });
  await writeTextAtomically(join(folder, 'vocab.json'), `${JSON.stringify(vocab)}\n`);
  await writeTextAtomically(join(folder, 'merges.txt'), merges);
  return Object.keys(vocab).length;
}
