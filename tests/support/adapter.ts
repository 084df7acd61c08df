// Runs tests of kernels that are meant for another kind of adapter than this one.

import { device } from './device.ts';

/** Runs `body` while the device passes for a CPU adapter, or for none, perhaps with subgroups of another size. */
export async function pretend(
  isCpu: boolean,
  body: () => Promise<void>,
  subgroupSize = device.subgroupSize,
): Promise<void> {
  const before = { isCpu: device.isCpu, subgroupSize: device.subgroupSize };
  Object.assign(device, { isCpu, subgroupSize });
  try {
    await body();
  } finally {
    Object.assign(device, before);
  }
}
