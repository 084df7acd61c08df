// Trains the small transformer for a few steps. The test beside it runs this in Node from the sources and in a browser from a
// bundle of the installed package, and compares the losses.

import { openDevice } from '../../engine/index.ts';
import { smallTransformer } from '../support/block.ts';

/** The losses of ten steps. */
export async function run(): Promise<number[]> {
  const device = await openDevice();
  const { step } = smallTransformer(device);
  const losses: number[] = [];
  for (let i = 0; i < 10; i += 1) losses.push(await step());
  device.destroy();
  return losses;
}
