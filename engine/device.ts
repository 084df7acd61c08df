// A device: the adapter it runs on, the memory of its tensors, and the one door (`run`) through which
// every op dispatches its kernel. Knows nothing of what the kernels compute.

import type { BufferOf, ConstantsOf, EntryOf, KernelName, ParamsOf } from '../shaders/index.ts';
import { describeAdapter, isCpuAdapter, openAdapter, subgroupSize } from './device/adapter.ts';
import { type Counters, newCounters } from './device/counters.ts';
import { dtypeOf, hostArray, viewAs, wholeWords, wordBytes } from './device/host-data.ts';
import { type BufferRange, Kernels, type KernelVariant, packParams } from './device/pipelines.ts';
import { BufferPool, type Storage } from './device/pool.ts';
import { type ProfileRow, Profiler } from './device/profiler.ts';
import { Recorder } from './device/recorder.ts';
import type { Specialisation } from './device/specialise.ts';
import { tensorsIn } from './device/tensors-in.ts';
import { Tuner } from './device/tuner.ts';
import { DeviceLostError, DeviceMismatchError, DtypeError, LimitError, ShapeError } from './errors.ts';
import {
  bytesPerElement,
  checkShape,
  type Dtype,
  describe,
  type HostArray,
  type HostArrays,
  type Shape,
  StorageHandle,
  sizeOf,
  Tensor,
} from './tensor.ts';

export interface DeviceOptions {
  /** Time every dispatch (where the adapter has timestamp queries). */
  profile?: boolean;
  /** Most bytes of GPU memory to hold; ops beyond it throw OutOfMemoryError. Default: no limit. */
  memoryBudgetBytes?: number;
  /** Bind at most so many bytes at once, if that is less than the adapter's limit (for tests of large tensors). */
  maxBindingBytes?: number;
  /**
   * Whether little will be computed: then kernels are taken that compile fast, the same for all CPUs and for all GPUs, and none
   * are measured. Default: no.
   */
  isBrief?: boolean;
  /** Take the kernels of a CPU adapter, or of a GPU, whatever this one is: to learn which others will need. */
  asCpu?: boolean;
}

/** One kernel dispatch: what to run, on which buffers, with which parameters. Names are those of the kernel's file. */
interface Dispatch<K extends KernelName, E extends EntryOf<K>> {
  kernel: K;
  /** Entry point in the kernel's file. */
  entry: E;
  /** Values of the kernel's constants and aliases. */
  constants?: ConstantsOf<K>;
  /** Tensors, or ranges of them, for the buffers that the entry point uses. */
  buffers: Readonly<Record<BufferOf<K, E>, Tensor | BufferRange>>;
  /** Values of the kernel's `Params`. */
  params: ParamsOf<K>;
  /** Workgroups to start in x, y and z. */
  grid: readonly [number, number, number];
  /** Work done, for profiles: floating-point operations and bytes read and written at the least. */
  flops?: number;
  bytes?: number;
}

/** Opens the best adapter (hardware, else the system's CPU Vulkan, else SwiftShader). Throws NoAdapterError. */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const { gpu, info } = await openAdapter();
  const device = new Device(gpu, info, options);
  await device.tuner.load();
  return device;
}

export class Device {
  readonly counters: Counters = newCounters();
  /** The adapter and its driver in one line. */
  readonly description: string;
  /** True when kernels run on the CPU. */
  readonly isCpu: boolean;
  /** See `DeviceOptions`. */
  readonly isBrief: boolean;
  /** Fewest invocations that a subgroup may have; 0 where kernels cannot use subgroups. */
  readonly subgroupSize: number;
  /** Largest part of a buffer that a kernel can see at once, in bytes; larger tensors are bound in parts. */
  readonly maxBindingBytes: number;
  /** Part boundaries must be multiples of this many bytes. */
  readonly bindingAlignment: number;
  readonly tuner: Tuner;
  readonly gpu: GPUDevice;
  #pool: BufferPool;
  #recorder: Recorder;
  #kernels: Kernels;
  #profiler: Profiler | null;
  #scopes: Set<Tensor>[] = [];
  #lost: DeviceLostError | null = null;
  #readBuffers = new Map<number, GPUBuffer[]>();
  #dummies: Tensor[] = [];
  /** Tensors made outside any scope give their buffers back when JavaScript forgets them. */
  #forgotten = new FinalizationRegistry<StorageHandle>((handle) => handle.release());

  constructor(gpu: GPUDevice, info: GPUAdapterInfo, options: DeviceOptions) {
    this.gpu = gpu;
    this.description = describeAdapter(info);
    this.isCpu = options.asCpu ?? isCpuAdapter(info);
    this.isBrief = options.isBrief ?? false;
    this.subgroupSize = this.isBrief ? 0 : subgroupSize({ gpu, info });
    const { limits } = gpu;
    this.maxBindingBytes = Math.min(
      limits.maxStorageBufferBindingSize,
      options.maxBindingBytes ?? Number.POSITIVE_INFINITY,
    );
    this.bindingAlignment = limits.minStorageBufferOffsetAlignment;
    this.#profiler = options.profile && gpu.features.has('timestamp-query') ? new Profiler(gpu) : null;
    this.#recorder = new Recorder(gpu, this.counters, this.#profiler);
    this.#kernels = new Kernels(gpu, this.counters, this.#recorder, this.maxBindingBytes);
    const budget = {
      limitBytes: limits.maxBufferSize,
      budgetBytes: options.memoryBudgetBytes ?? Number.POSITIVE_INFINITY,
    };
    this.#pool = new BufferPool(gpu, this.counters, budget, {
      create: (name, make) => this.#recorder.guard('out-of-memory', name, make),
      beforeDestroy: () => this.#recorder.submit(),
      afterDestroy: () => this.#kernels.forgetBindGroups(),
    });
    this.tuner = new Tuner(this, !this.isBrief);
    gpu.lost.then(({ message }) => {
      this.#lost ??= new DeviceLostError(`the device was lost: ${message || 'no reason given'}`);
    });
  }

  /** Whether kernels may store and load `f16`. */
  get hasF16(): boolean {
    return this.gpu.features.has('shader-f16');
  }

  /** A tensor with the given contents; a number array becomes the dtype's. Throws ShapeError when the length differs. */
  tensor(
    shape: Shape,
    data: HostArray | readonly number[],
    options: { dtype?: Dtype; name?: string } = {},
  ): Tensor {
    const dtype = options.dtype ?? dtypeOf(data);
    const name = options.name ?? 'tensor';
    checkShape(shape, name);
    if (data.length !== sizeOf(shape)) {
      throw new ShapeError(
        `${name}: shape [${shape}] holds ${sizeOf(shape)} elements, the data ${data.length}`,
      );
    }
    const tensor = this.empty(shape, dtype, name);
    this.write(tensor, Array.isArray(data) ? hostArray(dtype, data) : (data as HostArray));
    return tensor;
  }

  /** A trainable leaf: a tensor that gradients are computed for. Float32. */
  parameter(shape: Shape, data: Float32Array<ArrayBuffer> | readonly number[], name: string): Tensor {
    const tensor = this.tensor(shape, data, { dtype: 'f32', name });
    tensor.requiresGrad = true;
    return tensor;
  }

  /** A tensor of zeros. */
  zeros(shape: Shape, dtype: Dtype = 'f32', name = 'zeros'): Tensor {
    const tensor = this.empty(shape, dtype, name);
    this.clear(tensor);
    return tensor;
  }

  /** A tensor whose contents are undefined, for an op to fill. */
  empty(shape: Shape, dtype: Dtype, name: string): Tensor {
    this.#check();
    checkShape(shape, name);
    const bytes = sizeOf(shape) * bytesPerElement(dtype);
    const storage = this.#pool.acquire(bytes, `${name} [${shape}] ${dtype}`);
    return this.#make(shape, dtype, name, storage, 0);
  }

  /** The same elements under another shape; no copy. Records nothing (see `reshape` for the differentiable op). */
  view(tensor: Tensor, shape: Shape): Tensor {
    if (sizeOf(shape) !== tensor.size)
      throw new ShapeError(`view: ${describe(tensor)} cannot become [${shape}]`);
    const storage = tensor.storage.retain();
    return this.#make(shape, tensor.dtype, tensor.name, storage, tensor.offset);
  }

  /** Overwrites a tensor's elements with host data of its dtype. */
  write(tensor: Tensor, data: HostArray): void {
    this.#check();
    this.#checkOwner('write', tensor);
    if (data.length !== tensor.size || dtypeOf(data) !== tensor.dtype) {
      const isHalf = tensor.dtype === 'f16' && data instanceof Uint16Array;
      if (!isHalf || data.length !== tensor.size) {
        throw new DtypeError(
          `write: ${describe(tensor)} cannot take ${data.length} elements of ${data.constructor.name}`,
        );
      }
    }
    this.#recorder.write(tensor.storage.buffer, tensor.offset, wholeWords(data));
  }

  /** Fills a tensor with zeros. */
  clear(tensor: Tensor): void {
    this.#check();
    this.#recorder.clear(tensor.storage.buffer, tensor.offset, wordBytes(tensor.bytes));
  }

  /** Copies elements from one tensor into another of the same dtype; positions and count in elements, byte offsets multiples of 4. */
  copy(from: Tensor, to: Tensor, count = from.size, fromFirst = 0, toFirst = 0): void {
    this.#check();
    const bytes = bytesPerElement(from.dtype);
    this.#recorder.copy(
      from.storage.buffer,
      from.offset + fromFirst * bytes,
      to.storage.buffer,
      to.offset + toFirst * bytes,
      wordBytes(count * bytes),
    );
  }

  /** A small buffer to bind where a kernel's variable exists but is not used; distinct for each index. */
  dummy(index = 0): Tensor {
    while (this.#dummies.length <= index) {
      this.#dummies.push(
        new Tensor(this, [4], 'f32', 'unused', new StorageHandle(this.#pool.acquire(16, 'unused'))),
      );
    }
    return this.#dummies[index]!;
  }

  /** Records one dispatch. */
  run<K extends KernelName, E extends EntryOf<K>>(dispatch: Dispatch<K, E>): void {
    this.#check();
    const buffers: Readonly<Record<string, Tensor | BufferRange>> = dispatch.buffers;
    const variables = Object.keys(buffers);
    const kernel = this.#kernels.compile({
      kernel: dispatch.kernel,
      entry: dispatch.entry,
      constants: (dispatch.constants ?? {}) as Specialisation,
      variables,
    });
    const ranges = variables.map((variable) => this.#range(kernel.label, variable, buffers[variable]!));
    const most = this.gpu.limits.maxComputeWorkgroupsPerDimension;
    if (dispatch.grid.some((n) => n > most)) {
      throw new LimitError(
        `${kernel.label} needs [${dispatch.grid}] workgroups; this device starts ${most} a dimension`,
      );
    }
    this.#recorder.dispatch({
      pipeline: kernel.pipeline,
      bindGroup: this.#kernels.bind(kernel, variables, ranges),
      params: packParams(kernel.label, kernel.params, dispatch.params),
      grid: dispatch.grid,
      name: kernel.label,
      flops: dispatch.flops ?? 0,
      bytes: dispatch.bytes ?? 0,
    });
  }

  /**
   * Compiles kernels beside everything else, so that a dispatch finds them ready; resolves when all are. A dispatch that
   * comes before that compiles its kernel itself. The list may be stale: what cannot be compiled is left out, without an
   * error. Results do not depend on it.
   */
  compileAhead(variants: readonly KernelVariant[]): Promise<void> {
    return this.#kernels.compileAhead(variants);
  }

  /** Records the kernels that are dispatched from now on, until what is returned is called: it gives them, each once. */
  recordKernels(): () => KernelVariant[] {
    return this.#kernels.record();
  }

  /**
   * Runs `body` and then releases every tensor made in it, except those in what it returns (a tensor, or
   * arrays, maps and plain objects of them), which pass to the enclosing scope. Where a result was recorded
   * for gradients, everything that was made passes on with it, since its backward may need it: so a scope
   * around a layer frees its activations exactly when the layer is frozen. `body` must make its tensors
   * synchronously; returning the promise of a read is fine.
   */
  scope<T>(body: () => T): T {
    const made = new Set<Tensor>();
    this.#scopes.push(made);
    let result: T | undefined;
    try {
      result = body();
      return result;
    } finally {
      this.#scopes.pop();
      const kept = tensorsIn(result);
      const recorded = [...kept].some((tensor) => tensor.node);
      for (const tensor of made) {
        if (!recorded && !kept.has(tensor)) tensor.release();
        else this.#own(tensor);
      }
    }
  }

  /** Reads a tensor's elements. The copy is recorded at once, so its scope may end meanwhile. */
  async read<D extends Dtype = Dtype>(tensor: Tensor): Promise<HostArrays[D]> {
    this.#check();
    this.#checkOwner('read', tensor);
    const { storage, offset, dtype, size: elements } = tensor;
    const size = wordBytes(tensor.bytes);
    const staging = this.#stagingBuffer(size);
    this.#recorder.copy(storage.buffer, offset, staging, 0, size);
    this.#recorder.submit();
    let bytes: ArrayBuffer;
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, size);
      await this.#recorder.settle();
      this.#check();
      bytes = staging.getMappedRange(0, size).slice(0);
      staging.unmap();
    } catch (error) {
      staging.destroy();
      throw await this.#reason(error);
    }
    this.#readBuffers.get(staging.size)!.push(staging);
    await this.tuner.settle();
    return viewAs(dtype, bytes, elements) as HostArrays[D];
  }

  /** Sends everything recorded to the GPU and waits until it is done; throws what went wrong. */
  async finish(): Promise<void> {
    this.#check();
    this.#recorder.submit();
    try {
      await this.gpu.queue.onSubmittedWorkDone();
      await this.#recorder.settle();
    } catch (error) {
      throw await this.#reason(error);
    }
    this.#check();
  }

  /** Restarts the measuring of peak memory. */
  resetPeak(): void {
    this.counters.peakBytes = this.counters.liveBytes;
  }

  /** Gives buffers that no tensor uses back to the driver. */
  trim(): void {
    this.#pool.trim();
  }

  /** Times by kernel since the last call, slowest first; empty unless the device was opened with `profile`. */
  async profile(): Promise<ProfileRow[]> {
    await this.finish();
    return (await this.#profiler?.take()) ?? [];
  }

  /** Destroys the device and everything on it; later use throws DeviceLostError. */
  destroy(): void {
    this.#lost ??= new DeviceLostError('the device was destroyed');
    this.gpu.destroy();
    this.#kernels.forgetBindGroups();
  }

  #check(): void {
    if (this.#lost) throw this.#lost;
  }

  #checkOwner(op: string, tensor: Tensor): void {
    if (tensor.device !== this)
      throw new DeviceMismatchError(`${op}: ${describe(tensor)} is on another device`);
  }

  /** What to throw for a failed wait: the loss of the device, where that is behind it. */
  async #reason(error: unknown): Promise<unknown> {
    // The news of the loss may arrive just after the wait it broke.
    for (let i = 0; i < 20 && !this.#lost; i++) await new Promise((wake) => setTimeout(wake, 1));
    return this.#lost ?? error;
  }

  #make(shape: Shape, dtype: Dtype, name: string, storage: Storage, offset: number): Tensor {
    const tensor = new Tensor(this, shape, dtype, name, new StorageHandle(storage), offset);
    this.#own(tensor);
    return tensor;
  }

  /** Puts a tensor under the current scope or, outside of any, under the garbage collector. */
  #own(tensor: Tensor): void {
    const scope = this.#scopes.at(-1);
    if (scope) scope.add(tensor);
    else this.#forgotten.register(tensor, tensor.handle);
  }

  #range(kernel: string, variable: string, operand: Tensor | BufferRange): BufferRange {
    if (!(operand instanceof Tensor)) return operand;
    if (operand.device !== this) {
      throw new DeviceMismatchError(`${kernel}: ${variable} (${describe(operand)}) is on another device`);
    }
    return operand.range();
  }

  #stagingBuffer(bytes: number): GPUBuffer {
    const size = Math.max(256, 2 ** Math.ceil(Math.log2(bytes)));
    const waiting = this.#readBuffers.get(size) ?? [];
    this.#readBuffers.set(size, waiting);
    const reused = waiting.pop();
    if (reused) return reused;
    this.counters.allocations++;
    return this.gpu.createBuffer({
      label: 'read-back',
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }
}

/** Splits a count of workgroups over x and y, where one dimension would be too long. */
export function linearGrid(workgroups: number): [number, number, number] {
  const x = Math.min(workgroups, 32_768);
  return [x, Math.ceil(workgroups / x), 1];
}
