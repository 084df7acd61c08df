// What commands print. Text of users and of their files cannot move a terminal's cursor or recolour it; who reads no more
// ends a command quietly, and an output that cannot be written is said and is a failure.

import { InputError, visibleLines } from '../files/errors.ts';

/** As a shell has it of a command that a closed pipe ended. */
const closedCode = 141;

/** Who read the standard output has closed it: `dsmip link ... | head -1`. */
export class OutputClosedError extends Error {
  /** The exit code: 0 where what was asked for was only to be printed, else that of a command that did not do its work. */
  readonly code: number;

  constructor(code = 0) {
    super('the standard output was closed');
    this.code = code;
  }

  static ofWork = () => new OutputClosedError(closedCode);

  /** Whether a process that ended with this code had lost its output. */
  static isCode = (code: number) => code === closedCode;
}

/** Why nothing more can be printed; null while it can. */
let lost: OutputClosedError | InputError | null = null;
const watchers = new Set<(error: OutputClosedError | InputError) => void>();

/** From here on an output that breaks is no error without a handler. */
export function watchOutputs(): void {
  if (process.stdout.listeners('error').includes(lose)) return;
  process.stdout.on('error', lose);
  // There is nowhere to say it, and what goes on there is not what was asked for.
  process.stderr.on('error', () => {});
}

/** Tells when the standard output is lost: what takes long then stops. */
export function onOutputLost(watcher: (error: OutputClosedError | InputError) => void): void {
  watchers.add(watcher);
  if (lost) watcher(lost);
}

/** Prints lines that were asked for. Throws OutputClosedError and InputError once the output is lost. */
export function print(text: string): void {
  if (lost) throw lost;
  try {
    process.stdout.write(`${visibleLines(text)}\n`);
  } catch (error) {
    // Deno says it here, Node by an event.
    lose(error as Error);
    throw lost!;
  }
}

/** Prints lines about what goes on, to the standard error. */
export function printError(text: string): void {
  try {
    process.stderr.write(`${visibleLines(text)}\n`);
  } catch {
    // There is nowhere to say it.
  }
}

/** Resolves once all that was printed is taken. Throws as `print` does. */
export async function outputTaken(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.stdout.write('', (error) => {
      if (error) lose(error);
      resolve();
    });
  });
  // What a file's system refuses is told in the next turn.
  await new Promise((resolve) => setImmediate(resolve));
  if (lost) throw lost;
}

function lose(error: Error & { code?: string }): void {
  if (lost) return;
  const reason = error.code === 'ENOSPC' ? 'no space left on the disk' : error.message;
  lost =
    error.code === 'EPIPE'
      ? new OutputClosedError()
      : new InputError(`standard output: cannot be written: ${reason}; files that were written are kept`);
  for (const watcher of watchers) watcher(lost);
}
