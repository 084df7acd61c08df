// The kernels of a piece of work, compiled while it is still being prepared: those that it needed the last time it was
// done on this machine, which remembers them by adapter and work. They only save time, so nothing about them can fail.

import type { Device } from '../device.ts';
import type { KernelVariant } from './pipelines.ts';
import { recall, remember, runtime } from './platform.ts';

/** Raise it when the list is to be read in another way. A list of kernels that have changed does no harm. */
const version = 1;
/** More are neither remembered nor compiled; the work of one answer needs some dozens. */
const mostKernels = 256;

export class WarmStart {
  readonly #device: Device;
  readonly #key: string;
  /** The list that was remembered, as JSON, once its kernels are compiled. */
  readonly #ready: Promise<string>;
  #isWarm = false;
  #saved: Promise<void> = Promise.resolve();

  /** Starts compiling what `work` needed last time. A browser keeps compiled kernels itself, and is not asked. */
  constructor(device: Device, work: string) {
    this.#device = device;
    this.#key = `kernels of ${work} ${device.description}`;
    this.#ready = runtime === 'browser' ? Promise.resolve('') : this.#compile();
  }

  /** Does the work; the first time after its kernels are compiled, and remembers what it needed. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isWarm) return work();
    const known = await this.#ready;
    const recorded = this.#device.recordKernels();
    try {
      const result = await work();
      this.#isWarm = true;
      this.#saved = this.#save(recorded(), known);
      return result;
    } finally {
      recorded();
    }
  }

  /** Waits until what the work needed is remembered. */
  close(): Promise<void> {
    return this.#saved;
  }

  async #compile(): Promise<string> {
    const found = (await recall(this.#key)) as { version?: unknown; kernels?: unknown } | null;
    if (found?.version !== version || !Array.isArray(found.kernels)) return '';
    const kernels = found.kernels.slice(0, mostKernels) as KernelVariant[];
    await this.#device.compileAhead(kernels);
    return JSON.stringify(kernels);
  }

  async #save(needed: readonly KernelVariant[], known: string): Promise<void> {
    const kernels = needed.slice(0, mostKernels);
    if (runtime === 'browser' || JSON.stringify(kernels) === known) return;
    await remember(this.#key, { version, kernels });
  }
}
