// GPU buffers by size: a released buffer waits here for the next tensor of its size. Commands run in
// the order they were recorded, so a buffer may be handed out again as soon as it is released.

import { LimitError, OutOfMemoryError } from '../errors.ts';
import type { Counters } from './counters.ts';

/** A buffer shared by a tensor and its views; it goes back to the pool when the last of them lets go. */
export class Storage {
  readonly buffer: GPUBuffer;
  /** Identity for bind group keys: unique among all buffers of the process. */
  readonly id: number;
  readonly capacity: number;
  #references = 1;
  #pool: BufferPool;

  constructor(pool: BufferPool, buffer: GPUBuffer, id: number, capacity: number) {
    this.#pool = pool;
    this.buffer = buffer;
    this.id = id;
    this.capacity = capacity;
  }

  /** True while exactly one tensor holds this storage. */
  get exclusive(): boolean {
    return this.#references === 1;
  }

  retain(): this {
    this.#references++;
    return this;
  }

  release(): void {
    if (--this.#references === 0) this.#pool.recycle(this);
  }

  /** Called by the pool when it hands the storage out again. */
  revive(): void {
    this.#references = 1;
  }
}

/** What must happen around the making and the destruction of buffers. */
interface PoolHooks {
  /** Calls `make`; a failure is reported under the tensor's name. */
  create: (name: string, make: () => GPUBuffer) => GPUBuffer;
  /** Submits recorded commands, which may use the buffers. */
  beforeDestroy: () => void;
  /** Forgets what was cached for the buffers. */
  afterDestroy: () => void;
}

let nextId = 1;

/** The pool of one device. `limitBytes` is the largest buffer, `budgetBytes` the most to hold in all. */
export class BufferPool {
  #gpu: GPUDevice;
  #counters: Counters;
  #free = new Map<number, Storage[]>();
  #limitBytes: number;
  #budgetBytes: number;
  #hooks: PoolHooks;

  constructor(
    gpu: GPUDevice,
    counters: Counters,
    limits: { limitBytes: number; budgetBytes: number },
    hooks: PoolHooks,
  ) {
    this.#gpu = gpu;
    this.#counters = counters;
    this.#limitBytes = limits.limitBytes;
    this.#budgetBytes = limits.budgetBytes;
    this.#hooks = hooks;
  }

  /** A storage of at least `bytes` bytes, contents undefined. `name` is the tensor's, for errors. */
  acquire(bytes: number, name: string): Storage {
    const capacity = roundUp(bytes);
    const storage = this.#free.get(capacity)?.pop() ?? this.#create(capacity, name);
    storage.revive();
    this.#counters.liveBytes += capacity;
    this.#counters.peakBytes = Math.max(this.#counters.peakBytes, this.#counters.liveBytes);
    return storage;
  }

  /**
   * Takes back a storage that no tensor holds any more. The oldest buffer of a size is handed out first, so
   * that a repeated sequence of requests meets the same buffers, and with them cached bind groups.
   */
  recycle(storage: Storage): void {
    this.#counters.liveBytes -= storage.capacity;
    const list = this.#free.get(storage.capacity) ?? [];
    this.#free.set(storage.capacity, list);
    let at = list.length;
    while (at > 0 && list[at - 1]!.id < storage.id) at--;
    list.splice(at, 0, storage);
  }

  /** Destroys every buffer that waits. */
  trim(): void {
    this.#hooks.beforeDestroy();
    for (const list of this.#free.values()) {
      for (const storage of list) {
        storage.buffer.destroy();
        this.#counters.reservedBytes -= storage.capacity;
      }
    }
    this.#free.clear();
    this.#hooks.afterDestroy();
  }

  #create(capacity: number, name: string): Storage {
    if (capacity > this.#limitBytes) {
      throw new LimitError(
        `${name} needs ${capacity} bytes; a buffer of this device holds ${this.#limitBytes}`,
      );
    }
    if (this.#counters.reservedBytes + capacity > this.#budgetBytes) this.trim();
    if (this.#counters.reservedBytes + capacity > this.#budgetBytes) {
      throw new OutOfMemoryError(
        `${name} needs ${capacity} bytes; ${this.#counters.reservedBytes} of the budget of ` +
          `${this.#budgetBytes} are in use`,
      );
    }
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const usage = STORAGE | COPY_SRC | COPY_DST;
    const buffer = this.#hooks.create(name, () =>
      this.#gpu.createBuffer({ label: name, size: capacity, usage }),
    );
    this.#counters.allocations++;
    this.#counters.reservedBytes += capacity;
    return new Storage(this, buffer, nextId++, capacity);
  }
}

/** Sizes are rounded so that nearly equal tensors share buffers: at most an eighth is wasted. */
function roundUp(bytes: number): number {
  const step = Math.max(256, 2 ** (Math.floor(Math.log2(Math.max(bytes, 1))) - 3));
  return Math.ceil(bytes / step) * step;
}
