// Runs tests of kernels that are meant for another kind of adapter than this one.

import { device } from './device.ts';

/** Runs `body` while the device passes for a CPU adapter, or for none. */
export async function pretend(isCpu: boolean, body: () => Promise<void>): Promise<void> {
  const before = device.isCpu;
  const switchable = device as { isCpu: boolean };
  switchable.isCpu = isCpu;
  try {
    await body();
  } finally {
    switchable.isCpu = before;
  }
}
