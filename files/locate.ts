// Model files by where they are: a path in the file system or an http(s) address. What loads models asks here and
// does not know which of the two it reads.

import { type ByteSource, bytesInMemory, openFile } from './byte-source.ts';
import { MissingFileError, oneLine, WeightsError } from './errors.ts';
import { heldFile } from './held-files.ts';
import { request, wholeBody } from './http/http.ts';
import { openUrl } from './http/http-source.ts';
import { withRetries } from './http/retry.ts';
import { decodeText } from './read-text.ts';

/** Whether `where` is an address and no path. */
export function isUrl(where: string): boolean {
  return /^https?:\/\//i.test(where);
}

/** Where the file `name` of a folder lies. An address keeps its query. */
export function locate(folder: string, name: string): string {
  if (!isUrl(folder)) return folder === '' || folder.endsWith('/') ? folder + name : `${folder}/${name}`;
  const url = new URL(folder);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${encodeURIComponent(name)}`;
  return url.href;
}

/** Opens a file for reading in ranges. Throws WeightsError. */
export async function openSource(where: string, options: { scattered?: boolean } = {}): Promise<ByteSource> {
  const held = heldBytes(where);
  if (held) return bytesInMemory(where, held);
  return isUrl(where) ? openUrl(where, options) : openFile(where);
}

/** Whether there is a file. Throws WeightsError where that cannot be told. */
export async function isThere(where: string): Promise<boolean> {
  try {
    await (await openSource(where)).close();
    return true;
  } catch (error) {
    if (error instanceof MissingFileError) return false;
    throw error;
  }
}

/** The text of a file of at most `mostBytes` bytes. Throws WeightsError, MissingFileError where there is none. */
export async function readSmallText(where: string, mostBytes: number): Promise<string> {
  const held = heldBytes(where);
  if (held && held.length > mostBytes) throw tooLong(where, mostBytes);
  const bytes = held
    ? held
    : isUrl(where)
      ? await withRetries(() => fetchWhole(where, mostBytes))
      : await readWhole(where, mostBytes);
  return decodeText(where, bytes);
}

/** Parses the JSON text of `file`; the value must be an object. Throws WeightsError. */
export function parseJsonObject(file: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new WeightsError(`${file}: not JSON (${oneLine((error as Error).message)})`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new WeightsError(`${file}: expected a JSON object`);
}

async function readWhole(path: string, mostBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const source = await openFile(path);
  try {
    if (source.size > mostBytes) throw tooLong(path, mostBytes);
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}

async function fetchWhole(url: string, mostBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  return wholeBody(url, await request(url, {}), (bytes) => {
    if (bytes > mostBytes) throw tooLong(url, mostBytes);
  });
}

/** The bytes of a file at hand; null for one that is elsewhere. Throws MissingFileError for one that is not there. */
function heldBytes(where: string): Uint8Array<ArrayBuffer> | null {
  const held = heldFile(where);
  if (held === null) throw new MissingFileError(`${where}: no such file`);
  return held ?? null;
}

function tooLong(where: string, mostBytes: number): WeightsError {
  return new WeightsError(`${where}: longer than ${mostBytes} bytes, which no such file is`);
}
