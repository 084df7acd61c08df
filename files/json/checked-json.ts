// JSON files that we write and read again: an object whose first field is a checksum of the whole text, so that what was
// damaged or edited is refused and never believed. Other programs read them as they are.
//
//   {"checksum": "crc32:HHHHHHHH", "version": 1, ...}
//
// The checksum is taken of the UTF-8 text with zeros in its own place; in a file of one object a line, of the line before and
// the line.

import { crc32 } from '../crc32.ts';
import { InputError } from '../errors.ts';
import { objectIn, parseJson } from './json-fields.ts';

const mark = /^\{\s*"checksum":\s*"crc32:([0-9a-f]{8})"/;
const blank = '00000000';

/** The JSON text of an object of fields with its checksum; `indent` as JSON.stringify's. */
export function checkedJson(value: object, indent?: number): string {
  return sealed(value, '', indent);
}

/** A line of a file of such objects; `before` is the line before it, '' for the first. */
export function checkedLine(value: object, before: string): string {
  return sealed(value, before);
}

/**
 * The fields of such a text, without its checksum. `remedy` says how a file that is damaged, edited or of another version
 * is made again. Throws InputError, one line that names the file, for all of these.
 */
export function parseCheckedJson(
  file: string,
  text: string,
  version: number,
  remedy: string,
): Record<string, unknown> {
  const fields = checkedFields(file, text, '', remedy);
  const { checksum, ...others } = fields;
  if (others['version'] !== version) {
    throw new InputError({
      file,
      field: 'version',
      expected: `${version}; ${remedy}`,
      found: JSON.stringify(others['version']) ?? 'none',
    });
  }
  if (checksum === undefined) throw new InputError({ file, field: 'checksum', expected: `one; ${remedy}` });
  return others;
}

/** The fields of what `checkedLine` made; null for a line that is damaged, edited or has no checksum. */
export function parseCheckedLine(line: string, before: string): Record<string, unknown> | null {
  try {
    const { checksum, ...fields } = checkedFields('', line, before, '');
    return checksum === undefined ? null : fields;
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}

/** The fields of a text that is what its checksum says; of one without a checksum, all that there are. */
function checkedFields(file: string, text: string, before: string, remedy: string): Record<string, unknown> {
  const found = mark.exec(text);
  if (found) {
    const [start, sum] = found as unknown as [string, string];
    // The digits stand before the quote that the mark ends with.
    const at = start.length - 1 - sum.length;
    const whole = `${text.slice(0, at)}${blank}${text.slice(at + sum.length)}`;
    if (checksumOf(before + whole) !== sum) {
      throw new InputError(`${file}: was damaged or edited (wrong checksum); ${remedy}`);
    }
  }
  const fields = objectIn(file, parseJson(file, text), '');
  // Its name in another place is no checksum.
  if (!found) delete fields['checksum'];
  return fields;
}

function sealed(value: object, before: string, indent?: number): string {
  const text = `${JSON.stringify({ checksum: `crc32:${blank}`, ...value }, null, indent)}\n`;
  return text.replace(blank, checksumOf(before + text));
}

function checksumOf(text: string): string {
  return crc32(new TextEncoder().encode(text)).toString(16).padStart(blank.length, '0');
}
