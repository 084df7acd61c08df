// A mention that a user wants linked, as one JSON object a line.

import { UsageError } from '../files/errors.ts';

/** A mention of the user's; `image` is a path or null. */
export interface MentionToLink {
  word: string;
  sentence: string;
  image: string | null;
}

/**
 * The mention of a line, null for an empty one. Throws UsageError, one line that names file, line and field.
 */
export function parseMention(file: string, number: number, line: string): MentionToLink | null {
  if (line.trim() === '') return null;
  const fail = (problem: string): never => {
    throw new UsageError(`${file}: line ${number}: ${problem}`);
  };
  const fields = parsed(line) ?? fail('expected a JSON object');
  const named = (name: 'word' | 'sentence'): string => {
    const value = fields[name];
    return typeof value === 'string' && value !== '' ? value : fail(`${name}: expected a non-empty string`);
  };
  const image = fields['image'] ?? '';
  if (typeof image !== 'string') return fail('image: expected the path of a file');
  return { word: named('word'), sentence: named('sentence'), image: image === '' ? null : image };
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
