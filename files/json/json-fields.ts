// Reads JSON files of entries with fields of known types; every complaint is one line that names file, entry and
// field. Knows nothing of what the entries mean.

import { InputError, oneLine } from '../errors.ts';
import { readText } from '../read-text.ts';

/** The typed fields of one entry. Each throws `FILE: entry WHERE: NAME: expected ..., found ...` for another type. */
export interface Fields {
  /** An integer of at least 0. */
  integer(name: string): number;
  /** A string, which may be empty. */
  text(name: string): string;
  /** A string of at least one character. */
  filled(name: string): string;
  /** A string; `absent` where there is none. */
  textOr(name: string, absent: string): string;
  /** A string or a number, as a string; `absent` where there is none. */
  id(name: string, absent: number): string;
  /** A list of strings without the empty ones; a string counts as a list of one. */
  names(name: string): string[];
  /** A list of strings, empty ones included; a string counts as a list of one. */
  list(name: string): string[];
  /** Throws with `problem` said of field `name`. */
  fail(name: string, problem: string): never;
}

/** The value of the JSON file. Throws InputError for a missing or damaged file. */
async function readJson(file: string): Promise<unknown> {
  return parseJson(file, await readText(file));
}

/** The array in the JSON file. Throws one line where there is none. */
export async function readArray(file: string): Promise<unknown[]> {
  const value = await readJson(file);
  if (!Array.isArray(value)) throw new InputError({ file, expected: 'an array', found: kindOf(value) });
  return value;
}

/** The object in the JSON file; `what` says of what. Throws one line where there is none. */
export async function readObject(file: string, what: string): Promise<Record<string, unknown>> {
  return objectIn(file, await readJson(file), what);
}

/** `value` if it is an object; else throws one line with `where` and `what` was expected. */
export function objectIn(where: string, value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError({ file: where, expected: `an object${what}`, found: kindOf(value) });
  }
  return value as Record<string, unknown>;
}

/** The value of a JSON text, with or without a byte order mark; `file` is for the complaint. */
export function parseJson(file: string, text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text);
  } catch (error) {
    throw new InputError(
      `${file}: not valid JSON (cut off or damaged): ${oneLine((error as Error).message.split('\n')[0]!)}`,
    );
  }
  checkWellFormed(file, text, value);
  return value;
}

/**
 * Throws for half a character: JSON may escape one, and no file in UTF-8 can keep it, so that two ids of which it is a part
 * would become one.
 */
function checkWellFormed(file: string, json: string, value: unknown): void {
  if (!/\\u[dD][89a-fA-F]/.test(json)) return;
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next === 'string' && /\p{Surrogate}/u.test(next)) {
      throw new InputError({ file, expected: 'whole characters', found: `half of one in ${kindOf(next)}` });
    }
    if (typeof next !== 'object' || next === null) continue;
    for (const [key, inner] of Object.entries(next)) waiting.push(key, inner);
  }
}

/** Typed access to one entry of a file; `where` is its number or key. Throws if it is no object. */
export function fieldsOf(file: string, where: number | string, entry: unknown): Fields {
  const record = objectIn(`${file}: entry ${where}`, entry, '');
  const fail = (name: string, problem: string): never => {
    throw new InputError(`${file}: entry ${where}: ${name}: ${problem}`);
  };
  const expected = (name: string, what: string): never => {
    throw new InputError({
      file,
      field: `entry ${where}: ${name}`,
      expected: what,
      found: kindOf(record[name]),
    });
  };
  const textOf = (name: string, value: unknown): string =>
    typeof value === 'string' ? value : expected(name, 'a string');
  const list = (name: string): string[] => {
    const value = record[name] ?? [];
    if (typeof value === 'string') return [value];
    const isList = Array.isArray(value) && value.every((item) => typeof item === 'string');
    return isList ? (value as string[]) : expected(name, 'a list of strings');
  };
  return {
    fail,
    list,
    names: (name) => list(name).filter((item) => item !== ''),
    text: (name) => textOf(name, record[name]),
    textOr: (name, absent) => textOf(name, record[name] ?? absent),
    filled(name) {
      const value = record[name];
      return typeof value === 'string' && value !== '' ? value : expected(name, 'a non-empty string');
    },
    integer(name) {
      const value = record[name];
      const fits = Number.isSafeInteger(value) && (value as number) >= 0;
      return fits ? (value as number) : expected(name, 'an integer >= 0');
    },
    id(name, absent) {
      const value = record[name] ?? absent;
      const fits = typeof value === 'string' || typeof value === 'number';
      return fits ? String(value) : expected(name, 'a string');
    },
  };
}

/** A JSON value as a file has it; what it is where it is nested too deep to be written. */
export function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'nothing';
  } catch {
    return kindOf(value);
  }
}

/** What a JSON value is, for a complaint. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}..."` : text;
}
