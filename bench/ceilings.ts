// What the adapter can do at most: multiply-adds on registers and copying memory. Shares are of these.

import type { Device } from '../engine/device.ts';
import { measure } from './measure.ts';

export interface Ceilings {
  /** Multiply-adds on registers, two operations each. */
  fmaGflops: number;
  /** Bytes read plus bytes written while copying, the best of buffers within the caches and beyond them. */
  copyGBs: number;
}

/** Measures both. A busy machine makes them too low: see `higher`. */
export async function measureCeilings(device: Device): Promise<Ceilings> {
  const fmaGflops = await fma(device);
  let copyGBs = 0;
  // A GPU's memory takes more than its cache holds, and more than a launch hides.
  for (const megabytes of device.isCpu ? [3, 64] : [64, 512])
    copyGBs = Math.max(copyGBs, await copy(device, megabytes * 2 ** 20));
  return { fmaGflops, copyGBs };
}

/** The higher of two measurements, each: a ceiling is the most that was ever seen. */
export function higher(a: Ceilings, b: Ceilings): Ceilings {
  return { fmaGflops: Math.max(a.fmaGflops, b.fmaGflops), copyGBs: Math.max(a.copyGBs, b.copyGBs) };
}

/** Multiply-adds per step and lane of shaders/ceilings/ceiling-fma.wgsl. */
const multiplyAdds = 32 * 11;

async function fma(device: Device): Promise<number> {
  // A GPU needs far more workgroups than a processor has cores.
  const [groups, steps, lanes] = device.isCpu ? [256, 256, 8] : [32_768, 64, 64];
  const x = device.zeros([groups * lanes], 'f32', 'x');
  const queue = (runs: number) => {
    for (let i = 0; i < runs; i++) {
      device.run({
        kernel: 'ceiling-fma',
        entry: 'multiply_add',
        constants: { LANES: lanes },
        buffers: { x },
        params: { steps },
        grid: [groups, 1, 1],
      });
    }
  };
  queue(1);
  const { best } = await measure(queue, () => device.finish());
  x.release();
  return (groups * lanes * steps * multiplyAdds * 2) / best / 1e6;
}

async function copy(device: Device, bytes: number): Promise<number> {
  const constants = device.isCpu ? { LANES: 8, PER_LANE: 64 } : { LANES: 256, PER_LANE: 4 };
  const source = device.zeros([bytes / 4], 'f32', 'source');
  const destination = device.zeros([bytes / 4], 'f32', 'destination');
  const count = bytes / 16;
  const queue = (runs: number) => {
    for (let i = 0; i < runs; i++) {
      device.run({
        kernel: 'ceiling-copy',
        entry: 'copy',
        constants,
        buffers: { source, destination },
        params: { count },
        grid: [Math.ceil(count / (constants.LANES * constants.PER_LANE)), 1, 1],
      });
    }
  };
  queue(1);
  const { best } = await measure(queue, () => device.finish());
  source.release();
  destination.release();
  return (2 * bytes) / best / 1e6;
}
