// Tells what a user can put right (one line, exit code 1) from a bug (a stack trace).

import { DeviceLostError, LimitError, NoAdapterError, OutOfMemoryError } from '../engine/errors.ts';
import { WeightsError } from '../files/errors.ts';

/** True for errors of files, of the system and of what the adapter can do. */
export function isBadInput(error: Error): boolean {
  const kinds = [WeightsError, NoAdapterError, OutOfMemoryError, LimitError, DeviceLostError];
  // The system's errors have a code. Readers of data sets and tokenizers throw plain errors that begin with a path.
  return (
    kinds.some((kind) => error instanceof kind) ||
    'code' in error ||
    (error.constructor === Error && /^[^:\n]*[/\\.][^:\n]*: /.test(error.message))
  );
}
