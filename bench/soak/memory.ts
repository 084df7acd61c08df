// What a process holds while it works, sampled, and whether that grows: a straight line through the samples of the second
// half (the first is for what is made once), and how much it climbs in that half.

import { readdirSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Device } from '../../engine/device.ts';

/** Values by name. What the system does not tell (files and maps outside Linux) is missing. */
export type Held = Readonly<Record<string, number>>;

/** By how much each may climb in the second half of a part, in megabytes or things. */
export const limits = {
  'heap MB': 4,
  'buffers MB': 4,
  'resident MB': 64,
  'device MB': 0.25,
  'reserved MB': 8,
  files: 4,
  maps: 512,
} as const;

/** The heap of another process is seen with its garbage, which sways. */
export const limitsFromOutside = { ...limits, 'heap MB': 16 };

export interface Trend {
  name: string;
  /** At the middle and at the end. */
  values: [number, number];
  largest: number;
  /** What the line climbs from the middle to the end. */
  growth: number;
  limit: number;
  isFlat: boolean;
}

export class MemoryWatch {
  readonly #held: () => Held | Promise<Held>;
  readonly #samples: { at: number; held: Held }[] = [];
  readonly #every: number;
  readonly #limits: Readonly<Record<string, number>>;

  /** `held` is asked about sixty times, evenly over the work. */
  constructor(held: () => Held | Promise<Held>, own: Readonly<Record<string, number>> = limits) {
    this.#held = held;
    this.#every = 1 / 60;
    this.#limits = own;
  }

  /** Takes a sample where it is time. `at`: how much of the work is done, from 0 to 1. */
  async at(at: number): Promise<void> {
    const last = this.#samples.at(-1);
    if (last && at < last.at + this.#every && at < 1) return;
    this.#samples.push({ at, held: await this.#held() });
  }

  trends(): Trend[] {
    const end = this.#samples.at(-1)?.at ?? 0;
    const half = this.#samples.filter(({ at }) => at >= end / 2);
    return Object.entries(this.#limits).flatMap(([name, limit]) => {
      const points = half.flatMap(({ at, held }) => (name in held ? [[at, held[name]!] as const] : []));
      if (points.length < 3) return [];
      const growth = (slope(points) * end) / 2;
      const largest = Math.max(...this.#samples.map(({ held }) => held[name] ?? 0));
      const values: [number, number] = [points[0]![1], points.at(-1)![1]];
      return [{ name, values, largest, growth, limit, isFlat: growth <= limit }];
    });
  }
}

/** What this process holds, garbage not counted, and the device's own account of its memory. */
export function ownMemory(device: Device): Held {
  collectGarbage();
  const { heapUsed, external, rss } = process.memoryUsage();
  const { liveBytes, reservedBytes } = device.counters;
  return {
    'heap MB': heapUsed / 1e6,
    'buffers MB': external / 1e6,
    'resident MB': rss / 1e6,
    'device MB': liveBytes / 1e6,
    'reserved MB': reservedBytes / 1e6,
    ...openFiles('self'),
    ...memoryMaps('self'),
  };
}

let collect: (() => void) | null = null;

function collectGarbage(): void {
  if (collect === null) {
    setFlagsFromString('--expose-gc');
    const found: unknown = runInNewContext('typeof gc === "function" ? gc : null');
    collect = typeof found === 'function' ? (found as () => void) : () => {};
  }
  collect();
}

/** Files, sockets and pipes that a process has open. */
export function openFiles(process: number | 'self'): Held {
  try {
    return { files: readdirSync(`/proc/${process}/fd`).length };
  } catch {
    return {};
  }
}

/** A CPU adapter maps memory for every buffer; Linux gives a process 65,530 maps. */
export function memoryMaps(process: number | 'self'): Held {
  try {
    return { maps: readFileSync(`/proc/${process}/maps`, 'latin1').split('\n').length - 1 };
  } catch {
    return {};
  }
}

/** Of the line with the least squares. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (of: 0 | 1) => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const squares = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  return squares === 0
    ? 0
    : points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / squares;
}
