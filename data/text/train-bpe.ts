// Command line of the BPE trainer: node data/text/train-bpe.ts --out FOLDER [--size 3000] [--min-frequency 2]
// TEXT... Every line of the text files (UTF-8) counts as text; writes FOLDER/vocab.json and
// FOLDER/merges.txt.

import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { InputError } from '../../files/errors.ts';
import { readText } from '../../files/read-text.ts';
import type { BpeFiles } from './bpe-trainer.ts';
import { trainBpe } from './bpe-trainer.ts';

const USAGE =
  'usage: node data/text/train-bpe.ts --out FOLDER [--size 3000] [--min-frequency 2] TEXT-FILE...';

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      size: { type: 'string', default: '3000' },
      'min-frequency': { type: 'string', default: '2' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  if (values.out === undefined || positionals.length === 0) throw new InputError(USAGE);
  const texts = await Promise.all(positionals.map((file) => readText(file)));
  const vocabularySize = integer('--size', values.size, 514);
  const minFrequency = integer('--min-frequency', values['min-frequency'], 1);
  const files = trainBpe(texts, { vocabularySize, minFrequency });
  await writeFiles(values.out, files);
  console.log(`${values.out}: vocab.json with ${Object.keys(files.vocab).length} tokens, merges.txt`);
}

function integer(flag: string, value: string, least: number): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < least) {
    throw new InputError(`${flag} is "${value}", expected an integer of at least ${least}`);
  }
  return number;
}

/** Both files are complete beside their names before either takes its name. */
async function writeFiles(folder: string, files: BpeFiles): Promise<void> {
  const contents = { 'vocab.json': `${JSON.stringify(files.vocab)}\n`, 'merges.txt': files.merges };
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(contents)) await writeFile(join(folder, `${name}.part`), text);
  for (const name of Object.keys(contents)) await rename(join(folder, `${name}.part`), join(folder, name));
}
