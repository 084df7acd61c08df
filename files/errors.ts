// What the user can put right, in one line: entry points print it and end with exit code 1. Anything else that is thrown
// is a bug and shows its stack.

/** Where an input is wrong, and how. */
export interface Problem {
  /** Path, address or whatever else the user knows the input by. */
  file: string;
  /** The field, entry, line or tensor in it. */
  field?: string;
  expected: string;
  found?: string;
}

/** An input is missing, damaged or not what was expected. */
export class InputError extends Error {
  override name = 'InputError';
  readonly problem: Problem | null;

  /** A line as it is, or what `FILE: FIELD: expected ..., found ...` is made of. */
  constructor(problem: string | Problem) {
    super(typeof problem === 'string' ? problem : lineOf(problem));
    this.problem = typeof problem === 'string' ? null : problem;
  }
}

/** What the user typed or configured is wrong. */
export class UsageError extends InputError {
  override name = 'UsageError';
}

/** A file of weights or its configuration is missing, damaged or not what the model needs. */
export class WeightsError extends InputError {
  override name = 'WeightsError';
}

/** There is no file of that name, in the folder or on the server. */
export class MissingFileError extends WeightsError {
  override name = 'MissingFileError';
}

/** A connection failed in a way that trying again may mend. */
export class InterruptedError extends WeightsError {
  override name = 'InterruptedError';
}

/** Foreign text, from a file or a library, short and on one line. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}

function lineOf({ file, field, expected, found }: Problem): string {
  const where = field === undefined ? file : `${file}: ${field}`;
  return `${where}: expected ${expected}${found === undefined ? '' : `, found ${found}`}`;
}
