// How a command ends that did not do its work: one line and exit code 1 for what the user can put right, a stack for a bug.

import { DeviceLostError, LimitError, NoAdapterError, OutOfMemoryError } from '../engine/errors.ts';
import { InputError } from '../files/errors.ts';
import { flagOf } from './flag-names.ts';
import { OutputClosedError, printError } from './output.ts';

/** A command ends with an exit code, having said why. */
export class ExitError extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit code ${code}`);
    this.code = code;
  }
}

/** Says on one line what the user can put right and returns the exit code. Throws what is a bug. */
export function reportError(error: unknown): number {
  if (error instanceof ExitError || error instanceof OutputClosedError) return error.code;
  if (!(error instanceof Error) || !isInputError(error)) throw error;
  printError(withFlags(error));
  return 1;
}

function isInputError(error: Error): boolean {
  const kinds = [InputError, NoAdapterError, OutOfMemoryError, LimitError, DeviceLostError];
  // The system's errors have a code; Node's own, such as ERR_INVALID_ARG_TYPE, are bugs.
  return (
    kinds.some((kind) => error instanceof kind) ||
    /^E[A-Z0-9]+$/.test(`${(error as { code?: unknown }).code}`)
  );
}

/** The message with flags in place of the configuration's fields, as a user of commands knows them. */
function withFlags(error: Error & { fields?: readonly string[] }): string {
  return (error.fields ?? []).reduce(
    (message, field) => message.replaceAll(field, flagOf(field)),
    error.message,
  );
}
