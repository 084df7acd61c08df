// Mentions from a file or from standard input, a JSON object a line, handed on as they come: memory does not grow with the
// input.

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { InputError, UsageError } from '../files/errors.ts';
import { type MentionToLink, parseMention } from '../link/link-input.ts';

/** A longer line is no mention. */
const mostLineBytes = 2 ** 24;

/**
 * The mentions of a file ('-': standard input), at most `most` at a time; what has arrived of standard input is not held
 * back for what has not. Throws one line that names file, line and field.
 */
export async function* mentionLines(input: string, most: number): AsyncGenerator<MentionToLink[]> {
  const file = input === '-' ? '<stdin>' : input;
  let waiting: MentionToLink[] = [];
  let number = 0;
  for await (const lines of lineGroups(file, await streamOf(input))) {
    for (const line of lines) {
      const mention = parseMention(file, ++number, line);
      if (mention) waiting.push(mention);
      if (waiting.length === most) {
        yield waiting;
        waiting = [];
      }
    }
    // A file's next part is there at once.
    if (input === '-' && waiting.length > 0) {
      yield waiting;
      waiting = [];
    }
  }
  if (waiting.length > 0) yield waiting;
}

async function streamOf(input: string): Promise<AsyncIterable<Uint8Array>> {
  if (input === '-') return process.stdin as AsyncIterable<Uint8Array>;
  const found = await stat(input).catch(() => null);
  if (!found) throw new InputError(`${input}: no such file`);
  if (!found.isFile()) throw new InputError({ file: input, expected: 'a regular file' });
  return createReadStream(input) as AsyncIterable<Uint8Array>;
}

/** The lines that each part of a stream completes. */
async function* lineGroups(file: string, parts: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  const decoded = (bytes?: Uint8Array) => {
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
    } catch {
      throw new UsageError(`${file}: not text (UTF-8)`);
    }
  };
  for await (const bytes of parts) {
    const lines = (rest + decoded(bytes)).split('\n');
    rest = lines.pop()!;
    if (rest.length > mostLineBytes) throw new UsageError(`${file}: a line is longer than ${mostLineBytes}`);
    if (lines.length > 0) yield lines;
  }
  yield [rest + decoded()];
}
