// Command line of the BPE trainer: node data/text/train-bpe.ts --out FOLDER [--size 3000] [--min-frequency 2]
// TEXT... Every line of the text files (UTF-8) counts as text; writes FOLDER/vocab.json and
// FOLDER/merges.txt.

import { parseArgs } from 'node:util';
import { UsageError } from '../../files/errors.ts';
import { trainBpeFiles } from './train-bpe-files.ts';

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
  if (values.out === undefined || positionals.length === 0) throw new UsageError(USAGE);
  const vocabularySize = integer('--size', values.size, 514);
  const minFrequency = integer('--min-frequency', values['min-frequency'], 1);
  const tokens = await trainBpeFiles(positionals, values.out, { vocabularySize, minFrequency });
  console.log(`${values.out}: vocab.json with ${tokens} tokens, merges.txt`);
}

function integer(flag: string, value: string, least: number): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < least) {
    throw new UsageError(`${flag} is "${value}", expected an integer of at least ${least}`);
  }
  return number;
}
