// The fields that configurations are made of: a valibot schema each, with what a person is told of it (description, unit,
// range) and whether it decides a training's result. Flags, help and the comparison of checkpoints read this.

import * as v from 'valibot';

/** What is known of a field besides its type. */
export interface About {
  description: string;
  /** 'entities', 'GB', 'degrees': what a number counts. */
  unit?: string;
  /** Whether another value gives another result: checkpoints are compared by these fields. Default true. */
  decides?: boolean;
  /** Whether it only says where something lies: a checkpoint does not keep it, and is the same wherever it was made. */
  isPlace?: boolean;
}

/** The metadata of every field. */
export interface FieldInfo extends About {
  type: 'integer' | 'number' | 'text' | 'switch' | 'list' | 'integer or auto' | 'object';
  /** What values are valid, to follow 'expected'. */
  expected: string;
  choices?: readonly string[];
}

/** The number's range: `above` and `below` are outside of it, `least` and `most` within. */
export interface Range {
  least?: number;
  most?: number;
  above?: number;
  below?: number;
}

/** An integer of at least `least`. */
export function integer(least: number, about: About, most = Number.MAX_SAFE_INTEGER) {
  const expected = `an integer ${rangeText(most === Number.MAX_SAFE_INTEGER ? { least } : { least, most })}`;
  return v.pipe(
    v.number(expected),
    v.safeInteger(expected),
    v.minValue(least, expected),
    v.maxValue(most, expected),
    v.metadata({ ...about, type: 'integer', expected } satisfies FieldInfo),
  );
}

/** A finite number in a range. */
export function real(range: Range, about: About) {
  const expected = `a number ${rangeText(range)}`;
  const { least, most, above, below } = range;
  return v.pipe(
    v.number(expected),
    v.check(
      (x) =>
        Number.isFinite(x) &&
        x >= (least ?? x) &&
        x <= (most ?? x) &&
        (above === undefined || x > above) &&
        (below === undefined || x < below),
      expected,
    ),
    v.metadata({ ...about, type: 'number', expected } satisfies FieldInfo),
  );
}

/** Any text. */
export function text(about: About) {
  const expected = 'a text';
  return v.pipe(v.string(expected), v.metadata({ ...about, type: 'text', expected } satisfies FieldInfo));
}

/** A path: where something lies does not decide what is made of it. */
export function path(about: About) {
  const expected = 'a path';
  return v.pipe(
    v.string(expected),
    v.nonEmpty(expected),
    v.metadata({ ...about, decides: false, type: 'text', expected } satisfies FieldInfo),
  );
}

/** One of a few words. */
export function choice<const T extends readonly string[]>(choices: T, about: About) {
  const expected = `one of ${choices.join(', ')}`;
  return v.pipe(
    v.picklist(choices, expected),
    v.metadata({ ...about, type: 'text', expected, choices } satisfies FieldInfo),
  );
}

/** Different words of a few, at least one. */
export function some<const T extends readonly string[]>(choices: T, about: About) {
  const expected = `some of ${choices.join(', ')}, each once`;
  return v.pipe(
    v.array(v.picklist(choices, expected), expected),
    v.check((list) => list.length > 0 && new Set(list).size === list.length, expected),
    v.metadata({ ...about, type: 'list', expected, choices } satisfies FieldInfo),
  );
}

/** Different integers of at least `least`, at least one. */
export function integers(least: number, about: About) {
  const expected = `different integers ${rangeText({ least })}, separated by commas`;
  return v.pipe(
    v.array(v.pipe(v.number(expected), v.safeInteger(expected), v.minValue(least, expected)), expected),
    v.check((list) => list.length > 0 && new Set(list).size === list.length, expected),
    v.metadata({ ...about, type: 'list', expected } satisfies FieldInfo),
  );
}

/** On or off. */
export function onOff(about: About) {
  const expected = 'true or false';
  return v.pipe(v.boolean(expected), v.metadata({ ...about, type: 'switch', expected } satisfies FieldInfo));
}

/** An object of fields that only who reads them knows. */
export function object(about: About) {
  const expected = 'an object of fields';
  return v.pipe(
    v.record(v.string(), v.unknown(), expected),
    v.metadata({ ...about, type: 'object', expected } satisfies FieldInfo),
  );
}

/** A count, or 'auto' for one that is found by itself. */
export function integerOrAuto(least: number, about: About) {
  const expected = `auto or an integer ${rangeText({ least })}`;
  const isValid = (value: unknown) =>
    value === 'auto' || (Number.isSafeInteger(value) && (value as number) >= least);
  return v.pipe(
    v.custom<number | 'auto'>(isValid, expected),
    v.metadata({ ...about, type: 'integer or auto', expected } satisfies FieldInfo),
  );
}

function rangeText({ least, most, above, below }: Range): string {
  const low =
    least === undefined ? (above === undefined ? '' : `more than ${above}`) : `of at least ${least}`;
  const high = most === undefined ? (below === undefined ? '' : `less than ${below}`) : `at most ${most}`;
  return [low, high].filter((part) => part !== '').join(', ');
}
