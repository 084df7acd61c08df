// Records dispatches and copies into one command encoder and submits them in batches. Uniform
// parameters of a whole batch travel in one write. Errors that WebGPU reports for a batch are
// collected here and thrown, typed, at the next point where the host waits.

import { DeviceLostError, type EngineError, KernelError, OutOfMemoryError } from '../errors.ts';
import type { Counters } from './counters.ts';
import type { Profiler } from './profiler.ts';

/** One dispatch, ready to be recorded. */
interface RecordedDispatch {
  pipeline: GPUComputePipeline;
  bindGroup: GPUBindGroup;
  /** Packed `Params`, or null for a kernel without parameters. */
  params: ArrayBuffer | null;
  grid: readonly [number, number, number];
  /** For the profile: what to call it and how much work it is. */
  name: string;
  flops: number;
  bytes: number;
}

const uniformCapacity = 65_536;
/** Enough to amortise a submit (30 us on a CPU adapter), few enough that the GPU starts early. */
const dispatchesPerSubmit = 100;

export class Recorder {
  /** Bound at binding 0 of every kernel with parameters, at a dynamic offset. */
  readonly uniforms: GPUBuffer;
  #gpu: GPUDevice;
  #counters: Counters;
  #profiler: Profiler | null;
  #alignment: number;
  #uniformBytes = new Uint8Array(uniformCapacity);
  #uniformOffset = 0;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #recorded = 0;
  #reports: Promise<EngineError | null>[] = [];
  #dynamicOffset = [0];

  constructor(gpu: GPUDevice, counters: Counters, profiler: Profiler | null) {
    this.#gpu = gpu;
    this.#counters = counters;
    this.#profiler = profiler;
    this.#alignment = gpu.limits.minUniformBufferOffsetAlignment;
    this.uniforms = gpu.createBuffer({
      label: 'uniform parameters',
      size: uniformCapacity,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    this.#openErrorScopes();
  }

  dispatch(dispatch: RecordedDispatch): void {
    const { params, grid } = dispatch;
    const slot = params ? Math.ceil(params.byteLength / this.#alignment) * this.#alignment : 0;
    if (this.#uniformOffset + slot > uniformCapacity) this.submit();
    const pass = this.#openPass(dispatch);
    pass.setPipeline(dispatch.pipeline);
    if (params) {
      this.#uniformBytes.set(new Uint8Array(params), this.#uniformOffset);
      this.#dynamicOffset[0] = this.#uniformOffset;
      this.#uniformOffset += slot;
    }
    pass.setBindGroup(0, dispatch.bindGroup, params ? this.#dynamicOffset : []);
    pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    this.#counters.dispatches++;
    if (this.#profiler) this.#closePass();
    if (++this.#recorded >= dispatchesPerSubmit) this.submit();
  }

  /** Records a copy between buffers; offsets and size in bytes, multiples of 4. */
  copy(from: GPUBuffer, fromOffset: number, to: GPUBuffer, toOffset: number, bytes: number): void {
    this.#closePass();
    this.#openEncoder().copyBufferToBuffer(from, fromOffset, to, toOffset, bytes);
    this.#recorded++;
  }

  /** Records filling a range of a buffer with zeros. */
  clear(buffer: GPUBuffer, offset: number, bytes: number): void {
    this.#closePass();
    this.#openEncoder().clearBuffer(buffer, offset, bytes);
    this.#recorded++;
  }

  /** Writes host data into a buffer, after everything recorded so far. */
  write(buffer: GPUBuffer, offset: number, data: ArrayBufferView<ArrayBuffer>): void {
    this.submit();
    this.#gpu.queue.writeBuffer(buffer, offset, data.buffer, data.byteOffset, data.byteLength);
  }

  /** Sends what was recorded to the GPU. Does nothing when nothing was. */
  submit(): void {
    if (!this.#encoder) return;
    this.#closePass();
    this.#profiler?.resolve(this.#encoder);
    const commands = this.#encoder.finish();
    if (this.#uniformOffset > 0) {
      this.#gpu.queue.writeBuffer(this.uniforms, 0, this.#uniformBytes, 0, this.#uniformOffset);
    }
    this.#gpu.queue.submit([commands]);
    this.#profiler?.collect();
    this.#counters.submits++;
    this.#encoder = null;
    this.#uniformOffset = 0;
    this.#recorded = 0;
    this.#closeErrorScopes();
    this.#openErrorScopes();
  }

  /** Runs `body`; what WebGPU has against it is reported under `name`, for drivers that leave labels out. */
  guard<T>(filter: GPUErrorFilter, name: string, body: () => T): T {
    this.#gpu.pushErrorScope(filter);
    try {
      return body();
    } finally {
      this.#reports.push(
        this.#gpu.popErrorScope().then(
          (error) => typedError(error, `${name}: `),
          () => null,
        ),
      );
    }
  }

  /** Runs `body`; what WebGPU has against it is reported to nobody. */
  unreported<T>(filter: GPUErrorFilter, body: () => T): T {
    this.#gpu.pushErrorScope(filter);
    try {
      return body();
    } finally {
      this.#gpu.popErrorScope().catch(() => null);
    }
  }

  /** Submits, waits for WebGPU's verdict on everything so far and throws the first error. */
  async settle(): Promise<void> {
    this.submit();
    this.#closeErrorScopes();
    this.#openErrorScopes();
    const reports = this.#reports;
    this.#reports = [];
    for (const error of await Promise.all(reports)) if (error) throw error;
  }

  #openEncoder(): GPUCommandEncoder {
    this.#encoder ??= this.#gpu.createCommandEncoder();
    return this.#encoder;
  }

  #openPass(dispatch: RecordedDispatch): GPUComputePassEncoder {
    if (this.#pass) return this.#pass;
    const timestampWrites = this.#profiler?.next(dispatch.name, dispatch.flops, dispatch.bytes);
    this.#pass = this.#openEncoder().beginComputePass(timestampWrites ? { timestampWrites } : {});
    return this.#pass;
  }

  #closePass(): void {
    this.#pass?.end();
    this.#pass = null;
  }

  #openErrorScopes(): void {
    this.#gpu.pushErrorScope('internal');
    this.#gpu.pushErrorScope('out-of-memory');
    this.#gpu.pushErrorScope('validation');
  }

  #closeErrorScopes(): void {
    for (let i = 0; i < 3; i++) {
      // A lost device has no scopes left to report on; the loss itself is reported by the device.
      this.#reports.push(
        this.#gpu.popErrorScope().then(
          (error) => typedError(error),
          () => null,
        ),
      );
    }
    // Verdicts on healthy batches need not be kept until somebody waits.
    if (this.#reports.length > 300) this.#reports = [firstError(this.#reports)];
  }
}

async function firstError(reports: Promise<EngineError | null>[]): Promise<EngineError | null> {
  for (const error of await Promise.all(reports)) if (error) return error;
  return null;
}

/** Turns WebGPU's error into ours. Kernels and tensors are named by `prefix` or by their labels in the message. */
export function typedError(error: GPUError | null, prefix = ''): EngineError | null {
  if (!error) return null;
  const message = prefix + error.message;
  if (error instanceof GPUOutOfMemoryError) return new OutOfMemoryError(message);
  if (/device.*\blost\b/i.test(message)) return new DeviceLostError(message);
  return new KernelError(message);
}
