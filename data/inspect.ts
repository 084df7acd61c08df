// Says what is in a data set of MIMIC's layout, and what is wrong with it:
//   node data/inspect.ts DIR [--clip FOLDER] [--json]
// Counts, missing images, nil answers, lengths of texts, duplicate rows, leakage between the splits, and the paper's
// figures beside them where DIR is one of its data sets. --clip adds lengths in tokens: a folder with CLIP's vocab.json
// and merges.txt.

import { UsageError } from '../files/errors.ts';
import { isBadInput } from '../train/bad-input.ts';
import { on, parseFlags, reportError, text } from '../train/flags.ts';
import { readDataset } from './dataset.ts';
import { inspect } from './inspect/inspect-dataset.ts';
import { report } from './inspect/inspect-report.ts';
import { loadTokenizer } from './text/tokenizer-files.ts';

const USAGE = 'usage: node data/inspect.ts DIR [flags]';
const FLAGS = {
  clip: text('', 'folder with vocab.json and merges.txt, for lengths in tokens'),
  json: on('print JSON'),
};

try {
  await main(process.argv.slice(2));
} catch (error) {
  reportError(error, isBadInput);
}

async function main(args: string[]): Promise<void> {
  const at = args.findIndex((arg, i) => !arg.startsWith('-') && args[i - 1] !== '--clip');
  const options = parseFlags(USAGE, FLAGS, at < 0 ? args : args.toSpliced(at, 1));
  if (!options) return;
  if (at < 0) throw new UsageError(`${USAGE}: DIR is missing (--help lists the flags)`);

  const tokenizer = options.clip === '' ? null : await loadTokenizer(options.clip);
  const found = await inspect(await readDataset(args[at]!), tokenizer);
  tokenizer?.free();
  console.log(options.json ? JSON.stringify(found, null, 2) : report(found));
}
