// Runs tests of row ops in both shapes of work (engine/kernels/rows.ts), whatever the adapter is.

import { type Device, openDevice } from '../../engine/device.ts';
import { pretend } from './adapter.ts';

/** Wraps a test's body so that it runs in one of the shapes. */
export type Within = (body: () => Promise<void>) => () => Promise<void>;

/** Calls `define` for each shape, with its name and the wrapper for its tests. */
export function forBothRowShapes(define: (name: string, within: Within) => void): void {
  define('a lane a row', (body) => () => pretend(true, body));
  define('lanes share a row', (body) => () => pretend(false, body));
}

/** Runs `body` with a device that binds little at once, so that tensors go in parts. */
export async function inParts(body: (device: Device) => Promise<void>): Promise<void> {
  const small = await openDevice({ maxBindingBytes: 8192 });
  try {
    await body(small);
  } finally {
    small.destroy();
  }
}
