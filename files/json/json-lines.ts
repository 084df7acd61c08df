// Reads files and streams of one JSON object a line as they come: bounded memory, lines by number in every error. Knows
// nothing of what the lines mean.

import { openFile } from '../byte-source.ts';
import { InputError } from '../errors.ts';
import { joinedBytes } from '../joined-bytes.ts';
import { parseJson } from './json-fields.ts';

/** A line that is not empty, counted from 1, and its value. */
interface JsonLine {
  number: number;
  value: unknown;
}

/** Bytes of the longest line: more than any text that a model reads, far less than memory. */
const mostLineBytes = 2 ** 22;
const chunkBytes = 2 ** 20;
const newline = 10;

/**
 * The values of the file's lines in turn; empty lines are passed over. Throws InputError, `FILE: line 17: ...`, for a line
 * that is too long, no UTF-8 or no JSON.
 */
export async function* readJsonLines(path: string): AsyncGenerator<JsonLine> {
  for await (const lines of parseJsonLines(path, chunksOfFile(path))) yield* lines;
}

/**
 * The same of any stream of bytes (standard input, a request's body), which `name` stands for in errors: the lines that each
 * chunk completes together, so that they can be answered before the next chunk has come.
 */
export async function* parseJsonLines(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<JsonLine[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let number = 0;
  for await (const lines of linesOf(name, chunks)) {
    const found: JsonLine[] = [];
    for (const bytes of lines) {
      number++;
      let text: string;
      try {
        text = decoder.decode(bytes);
      } catch {
        throw new InputError(`${name}: line ${number}: expected UTF-8 text`);
      }
      if (text.trim() !== '') found.push({ number, value: parseJson(`${name}: line ${number}`, text) });
    }
    if (found.length > 0) yield found;
  }
}

/** The bytes of the lines that each chunk completes, without their newlines; valid until the next are asked for. */
async function* linesOf(name: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array[]> {
  // What came of a line that is not whole yet.
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let number = 1;
  const check = (bytes: number): void => {
    if (bytes > mostLineBytes) {
      throw new InputError(`${name}: line ${number}: expected at most ${mostLineBytes} bytes`);
    }
  };
  for await (const chunk of chunks) {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      check(pendingBytes + end - start);
      const part = chunk.subarray(start, end);
      lines.push(pending.length === 0 ? part : joinedBytes([...pending, part]));
      pending = [];
      pendingBytes = 0;
      start = end + 1;
      number++;
    }
    check(pendingBytes + chunk.length - start);
    if (start < chunk.length) {
      // A copy: whoever gives the chunks may use their memory again.
      pending.push(chunk.slice(start));
      pendingBytes += chunk.length - start;
    }
    if (lines.length > 0) yield lines;
  }
  if (pendingBytes > 0) yield [joinedBytes(pending)];
}

/** A file's bytes, a piece at a time. Throws WeightsError for a file that cannot be opened. */
export async function* chunksOfFile(path: string): AsyncGenerator<Uint8Array> {
  const source = await openFile(path);
  try {
    for (let at = 0; at < source.size; at += chunkBytes) {
      yield await source.read(at, Math.min(chunkBytes, source.size - at));
    }
  } finally {
    await source.close();
  }
}
