// Counts the bytes of all GPU buffers that exist, whoever creates them: the same measure for our engine and
// for the peers. Buffers that a library keeps for later use count, for nobody else can have them.

import { runtime } from '../../engine/device/platform.ts';

export interface GpuMemory {
  /** Bytes of buffers now. */
  readonly bytes: number;
  /** Most bytes at once since `resetPeak`. */
  readonly peakBytes: number;
  resetPeak(): void;
}

/** Begins to count; buffers that exist already are not seen. Call it once, before any device is opened. */
export async function countGpuMemory(): Promise<GpuMemory> {
  if (runtime === 'node') Object.assign(globalThis, (await import('webgpu')).globals);
  const memory = {
    bytes: 0,
    peakBytes: 0,
    resetPeak() {
      memory.peakBytes = memory.bytes;
    },
  };
  const alive = new WeakMap<GPUBuffer, { bytes: number }>();
  const free = (held: { bytes: number }) => {
    memory.bytes -= held.bytes;
    held.bytes = 0;
  };
  // A buffer that is forgotten instead of destroyed ends with its JavaScript object.
  const forgotten = new FinalizationRegistry(free);
  const { createBuffer } = GPUDevice.prototype;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    const held = { bytes: descriptor.size };
    alive.set(buffer, held);
    forgotten.register(buffer, held);
    memory.bytes += held.bytes;
    memory.peakBytes = Math.max(memory.peakBytes, memory.bytes);
    return buffer;
  };
  const { destroy } = GPUBuffer.prototype;
  GPUBuffer.prototype.destroy = function () {
    const held = alive.get(this);
    if (held) free(held);
    return destroy.call(this);
  };
  return memory;
}
