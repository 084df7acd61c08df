// A tensor: a shape and a dtype over a range of a device buffer, contiguous in row-major order. What
// can be done with tensors is in ops/; how gradients flow is in autograd.ts.

import type { Node } from './autograd.ts';
import type { BufferRange } from './device/pipelines.ts';
import type { Storage } from './device/pool.ts';
import type { Device } from './device.ts';
import { DeviceMismatchError, DtypeError, ReleasedTensorError, ShapeError } from './errors.ts';

export type Dtype = 'f32' | 'f16' | 'i32' | 'u32';
export type Shape = readonly number[];

/** Host data of each dtype; float16 travels as its bits. */
export interface HostArrays {
  f32: Float32Array<ArrayBuffer>;
  f16: Uint16Array<ArrayBuffer>;
  i32: Int32Array<ArrayBuffer>;
  u32: Uint32Array<ArrayBuffer>;
}
export type HostArray = HostArrays[Dtype];

/** Bytes of one element. */
export function bytesPerElement(dtype: Dtype): number {
  return dtype === 'f16' ? 2 : 4;
}

/** Number of elements of a shape; 1 for a scalar `[]`. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Throws ShapeError unless every dimension is a positive integer. */
export function checkShape(shape: Shape, what: string): void {
  if (!shape.every((n) => Number.isSafeInteger(n) && n > 0)) {
    throw new ShapeError(`${what}: shape [${shape}] must hold positive integers`);
  }
}

/**
 * One tensor's hold on a storage. It is an object of its own so that the device can let go of the storage
 * after JavaScript has forgotten the tensor.
 */
export class StorageHandle {
  storage: Storage | null;

  constructor(storage: Storage) {
    this.storage = storage;
  }

  replace(storage: Storage): void {
    storage.retain();
    this.release();
    this.storage = storage;
  }

  release(): void {
    this.storage?.release();
    this.storage = null;
  }
}

export class Tensor {
  readonly device: Device;
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** Number of elements. */
  readonly size: number;
  /** What it is, for error messages: a parameter's name or the op that made it. */
  name: string;
  /** True for a leaf that is trained and for everything computed from one. */
  requiresGrad = false;
  /** The op that made this tensor, kept only where a gradient must flow through it. */
  node: Node | null = null;
  /** The hold on the storage, for the device. */
  readonly handle: StorageHandle;
  #offset: number;

  /** Made by `Device`, which counts the handles of a storage; `offset` is in bytes. */
  constructor(device: Device, shape: Shape, dtype: Dtype, name: string, handle: StorageHandle, offset = 0) {
    this.device = device;
    this.shape = shape;
    this.dtype = dtype;
    this.name = name;
    this.size = sizeOf(shape);
    this.handle = handle;
    this.#offset = offset;
  }

  /** Number of dimensions. */
  get rank(): number {
    return this.shape.length;
  }

  /** Bytes of the elements. */
  get bytes(): number {
    return this.size * bytesPerElement(this.dtype);
  }

  get released(): boolean {
    return this.handle.storage === null;
  }

  /** The buffer behind the tensor. Throws ReleasedTensorError after its scope ended. */
  get storage(): Storage {
    const { storage } = this.handle;
    if (!storage)
      throw new ReleasedTensorError(`${describe(this)} was used after the scope that owned it ended`);
    return storage;
  }

  /** Offset of the first element in the buffer, in bytes. */
  get offset(): number {
    return this.#offset;
  }

  /** The buffer range that holds the tensor, or the given part of it (in elements). */
  range(first = 0, count = this.size - first): BufferRange {
    const bytes = bytesPerElement(this.dtype);
    // Kernels that read vectors of four see whole vectors: buffers are padded, so the last one exists.
    const size = Math.ceil((count * bytes) / 16) * 16;
    return { storage: this.storage, offset: this.#offset + first * bytes, size };
  }

  /** Reads the elements back. Waits for the GPU; throws what went wrong in any op before. */
  read(): Promise<HostArray> {
    return this.device.read(this);
  }

  /** Reads a tensor of one element as a number. */
  async item(): Promise<number> {
    if (this.size !== 1)
      throw new ShapeError(`item: ${describe(this)} has ${this.size} elements, expected 1`);
    return Number((await this.read())[0]);
  }

  /** Moves the tensor onto another storage with the same contents (an optimiser's flat buffer). */
  rebind(storage: Storage, offset: number): void {
    this.handle.replace(storage);
    this.#offset = offset;
  }

  /** Lets go of the buffer. Scopes do this; calling it by hand is only for tensors made outside any scope. */
  release(): void {
    this.handle.release();
    this.node = null;
  }
}

/** A tensor in words, for errors: `weight [512, 768] f32`. */
export function describe(tensor: Tensor): string {
  return `${tensor.name} [${tensor.shape}] ${tensor.dtype}`;
}

/** Throws unless the operands live on one device and have the dtype wanted. */
export function checkOperands(
  op: string,
  operands: Readonly<Record<string, Tensor>>,
  dtype: Dtype = 'f32',
): void {
  let device: Device | null = null;
  for (const [role, tensor] of Object.entries(operands)) {
    device ??= tensor.device;
    if (tensor.device !== device)
      throw new DeviceMismatchError(`${op}: ${role} (${describe(tensor)}) is on another device`);
    if (tensor.dtype !== dtype) throw new DtypeError(`${op}: ${role} (${describe(tensor)}) must be ${dtype}`);
  }
}
