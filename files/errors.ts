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
    super(shortened(visible(typeof problem === 'string' ? problem : lineOf(problem))));
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
  ENXIO: 'not a file',
  EBUSY: 'in use by another program',
  EEXIST: 'expected a folder, found a file',
  EISDIR: 'expected a file, found a folder',
  ENOTDIR: 'expected a folder on the way to it, found a file',
  ENOSPC: 'cannot be written: no space left on the disk; what was there before is kept',
  EDQUOT: "cannot be written: the disk's quota is used up; what was there before is kept",
  EFBIG: 'cannot be written: larger than a file may be; what was there before is kept',
  EIO: 'the disk failed',
  EROFS: 'cannot be written: the file system is read-only',
  EMFILE: 'too many files are open',
  ELOOP: 'too many links on the way to it',
  ENAMETOOLONG: 'the name is too long',
};

/**
 * Foreign text on one line that a terminal shows and does not obey: control characters, and those that turn the direction of
 * writing, are escaped as in JSON.
 */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const [code, short] = [character.charCodeAt(0), shortEscapes[character]];
    return short ?? `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** The same of lines: their ends and tabs stay. */
export function visibleLines(text: string): string {
  return text.replaceAll(/[^\n\t]+/g, visible);
}

const shortEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Letters of the longest message; a path has up to 4096. */
const [mostAtBegin, mostAtEnd] = [4200, 800];

/** Without its middle where it is too long: what was found may be a file of megabytes. */
function shortened(line: string): string {
  if (line.length <= mostAtBegin + mostAtEnd) return line;
  return `${line.slice(0, mostAtBegin)}…${line.slice(-mostAtEnd)}`;
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
