// The mentions that a user wants linked: from the command line, or one JSON object a line.

import { UsageError } from '../files/errors.ts';
import { readText } from '../files/read-text.ts';

/** A mention of the user's; `image` is a path or null. */
export interface MentionToLink {
  word: string;
  sentence: string;
  image: string | null;
}

/** The flags that say what to link. */
export interface LinkInput {
  word: string;
  sentence: string;
  image: string;
  /** A file, '-' for standard input, '' for the three above. */
  input: string;
}

/** Reads the mentions. Throws UsageError, or one line that names file, line and field. */
export async function readMentions({ word, sentence, image, input }: LinkInput): Promise<MentionToLink[]> {
  if (input === '') {
    if (word === '' || sentence === '') {
      throw new UsageError('expected --word and --sentence, or --input FILE.jsonl (--help lists the flags)');
    }
    return [{ word, sentence, image: image === '' ? null : image }];
  }
  if (word !== '' || sentence !== '' || image !== '') {
    throw new UsageError(
      '--input: its lines have word, sentence and image; expected no --word, --sentence, --image',
    );
  }
  return input === '-'
    ? parseMentions('<stdin>', await readStandardInput())
    : parseMentions(input, await readText(input));
}

/** Mentions of a text with one JSON object a line; empty lines are passed over. Throws UsageError. */
export function parseMentions(file: string, text: string): MentionToLink[] {
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    const fail = (problem: string): never => {
      throw new UsageError(`${file}: line ${i + 1}: ${problem}`);
    };
    const fields = parsed(line) ?? fail('expected a JSON object');
    const named = (name: 'word' | 'sentence'): string => {
      const value = fields[name];
      return typeof value === 'string' && value !== '' ? value : fail(`${name}: expected a non-empty string`);
    };
    const image = fields['image'] ?? '';
    if (typeof image !== 'string') return fail('image: expected the path of a file');
    return [{ word: named('word'), sentence: named('sentence'), image: image === '' ? null : image }];
  });
}

function parsed(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown> | null)
      : null;
  } catch {
    return null;
  }
}

async function readStandardInput(): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const part of process.stdin) text += decoder.decode(part as Uint8Array, { stream: true });
  return text + decoder.decode();
}
