// Files of ordinary sentences: tab-separated lines, the offset of a WordNet 3.1 noun synset, then sentences that mention it,
// the mention in brackets. Lines that begin with # say what the file is.

import { InputError } from '../../files/errors.ts';
import { readText } from '../../files/read-text.ts';

export interface MarkedSentence {
  /** Of the synset that the sentence mentions. */
  offset: string;
  word: string;
  sentence: string;
}

/** All sentences in the order of the file. Throws an `InputError` that names the line where one is not as described. */
export async function readMarkedSentences(file: string): Promise<MarkedSentence[]> {
  const lines = (await readText(file)).split('\n');
  return lines.flatMap((line, i) => {
    if (line === '' || line.startsWith('#')) return [];
    const [offset, ...sentences] = line.split('\t');
    const refuse = (expected: string, found: string) =>
      new InputError({ file, field: `line ${i + 1}`, expected, found });
    if (!/^\d{8}$/.test(offset!)) throw refuse("a synset's offset of eight digits", offset!);
    return sentences.map((marked) => {
      const [before, word, after, more] = marked.split(/[[\]]/);
      if (!word || after === undefined || more !== undefined)
        throw refuse('a sentence with one mention in brackets', marked);
      return { offset: offset!, word, sentence: `${before}${word}${after}` };
    });
  });
}
