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

/**
 * What the system said when the file at `path` was read or written, as an InputError with the path: a MissingFileError
 * where there is no such file or folder, and what it is already where it is an InputError.
 */
export function fileError(path: string, error: unknown, verb: 'read' | 'written' = 'read'): InputError {
  if (error instanceof InputError) return error;
  const { code, message } = error as { code?: string; message: string };
  if (code === 'ENOENT' && verb === 'read') return new MissingFileError(`${path}: no such file`);
  const reason = code === undefined ? undefined : systemReasons[code];
  // There is no such file either.
  if (code === 'ENOTDIR' && verb === 'read') return new MissingFileError(`${path}: ${reason}`);
  return new WeightsError(`${path}: ${reason ?? `cannot be ${verb}: ${oneLine(message)}`}`);
}

/** The system's codes in words. */
const systemReasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EEXIST: 'expected a folder, found a file',
  EISDIR: 'expected a file, found a folder',
  ENOTDIR: 'expected a folder on the way to it, found a file',
  ENOSPC: 'cannot be written: no space left on the disk',
  EROFS: 'cannot be written: the file system is read-only',
  EMFILE: 'too many files are open',
  ELOOP: 'too many links on the way to it',
  ENAMETOOLONG: 'the name is too long',
};

/** Foreign text, from a file or a library, short and on one line. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}

function lineOf({ file, field, expected, found }: Problem): string {
  const where = field === undefined ? file : `${file}: ${field}`;
  return `${where}: expected ${expected}${found === undefined ? '' : `, found ${found}`}`;
}
