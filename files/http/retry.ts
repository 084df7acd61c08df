// Tries again what a failing connection interrupted, with growing pauses.

import { InterruptedError } from '../errors.ts';

export interface RetryOptions {
  /** How often to try again without any progress in between. Default 5. */
  retries?: number;
  /** Milliseconds before the first new try; each further pause is twice as long. Default 500. */
  pauseMs?: number;
  /** Told of each failure that is followed by a new try, and how long the pause is. */
  onRetry?: (error: InterruptedError, pauseMs: number) => void;
}

/**
 * Calls `attempt` until it ends without an InterruptedError; the last one passes through, as do all other errors. An
 * attempt that calls `progressed` earns the full count of retries for the next.
 */
export async function withRetries<T>(
  attempt: (progressed: () => void) => Promise<T>,
  { retries = 5, pauseMs = 500, onRetry }: RetryOptions = {},
): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await attempt(() => {
        failures = 0;
      });
    } catch (error) {
      if (!(error instanceof InterruptedError) || failures >= retries) throw error;
      onRetry?.(error, pauseMs * 2 ** failures);
    }
    await new Promise((wake) => setTimeout(wake, pauseMs * 2 ** failures));
    failures++;
  }
}
