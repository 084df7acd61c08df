// Checks values by valibot schemas; the first thing that is wrong becomes one line with file, field, what was expected and
// what was found.

import * as v from 'valibot';
import { InputError, oneLine } from '../errors.ts';
import { kindOf } from './json-fields.ts';

/**
 * `value` as the schema's output. Throws InputError, `FILE: a.b[2]: expected a string, found 7`, for the first issue;
 * a message that the schema itself gives says what was expected, without "expected".
 */
export function parseBySchema<const S extends v.GenericSchema>(
  file: string,
  schema: S,
  value: unknown,
): v.InferOutput<S> {
  // To valibot an array is an object.
  if (Array.isArray(value) && /object$/.test(schema.type)) {
    throw new InputError({ file, expected: 'an object', found: 'an array' });
  }
  const parsed = v.safeParse(schema, value, { abortEarly: true, abortPipeEarly: true });
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const field = fieldOf(issue);
  const where = field === '' ? { file } : { file, field };
  if (issue.expected === 'never') throw new InputError({ ...where, expected: 'no field of this name' });
  // Of a field that is not there valibot says its name alone.
  const isMissing = /object$/.test(issue.type) && issue.expected === `"${String(issue.path?.at(-1)?.key)}"`;
  const missing = isMissing ? schemaAt(schema, issue.path ?? []) : undefined;
  throw new InputError({
    ...where,
    expected: missing === undefined ? expectedOf(issue) : expectedOf({ ...issue, ...wordsOf(missing) }),
    found: missing === undefined ? oneLine(kindOf(issue.input)) : 'nothing',
  });
}

/** What may stand inside a schema of valibot. */
interface Inner {
  entries?: Record<string, Inner>;
  item?: Inner;
  value?: Inner;
  wrapped?: Inner;
  expects?: string | null;
  message?: unknown;
}

/** The schema of the field at `path`; undefined where it is not found. */
function schemaAt(schema: unknown, path: readonly { key: unknown }[]): Inner | undefined {
  return path.reduce<Inner | undefined>((outer, { key }) => {
    let inner = outer;
    while (inner?.wrapped) inner = inner.wrapped;
    return inner?.entries?.[key as string] ?? inner?.item ?? inner?.value;
  }, schema as Inner);
}

function wordsOf({ message, expects }: Inner): { message: string; expected: string } {
  return { message: typeof message === 'string' ? message : 'Invalid type', expected: expects ?? 'a value' };
}

/** `a.b[2]`; '' for the value itself. */
function fieldOf(issue: v.BaseIssue<unknown>): string {
  return (issue.path ?? []).reduce((before, { key }) => {
    if (typeof key === 'number') return `${before}[${key}]`;
    return before === '' ? `${key}` : `${before}.${key as string}`;
  }, '');
}

const words: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  boolean: 'true or false',
  Object: 'an object',
  Array: 'an array',
  null: 'null',
};

function expectedOf({ message, expected }: v.BaseIssue<unknown>): string {
  // valibot's own messages begin so; any other is the schema's.
  if (!message.startsWith('Invalid ')) return message;
  const options = (expected ?? message).replace(/^\((.*)\)$/, '$1').split(' | ');
  const said = options.map((option) => words[option] ?? option.replace(/^(>=?|<=?)(?=\S)/, '$1 '));
  return said.length > 2 ? `one of ${said.join(', ')}` : said.join(' or ');
}
