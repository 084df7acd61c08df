// Host arrays and device bytes: which stands for which dtype, and in which units copies move them.

import { DtypeError } from '../errors.ts';
import type { Dtype, HostArray } from '../tensor.ts';

/** The dtype that host data stands for; plain numbers are f32. */
export function dtypeOf(data: HostArray | readonly number[]): Dtype {
  if (data instanceof Uint32Array) return 'u32';
  if (data instanceof Int32Array) return 'i32';
  if (data instanceof Uint16Array) return 'f16';
  return 'f32';
}

/** Plain numbers as host data of a dtype. Throws DtypeError for f16, whose bits must be given. */
export function hostArray(dtype: Dtype, data: readonly number[]): HostArray {
  if (dtype === 'i32') return Int32Array.from(data);
  if (dtype === 'u32') return Uint32Array.from(data);
  if (dtype === 'f32') return Float32Array.from(data);
  throw new DtypeError('float16 data must be given as the bits, in a Uint16Array');
}

/** Writes go in 32-bit words: an odd count of float16 is padded. */
export function wholeWords(data: HostArray): HostArray {
  if (data.byteLength % 4 === 0) return data;
  const padded = new Uint16Array(data.length + 1);
  padded.set(data);
  return padded;
}

/** Bytes read from the device as host data of a dtype. */
export function viewAs(dtype: Dtype, bytes: ArrayBuffer, elements: number): HostArray {
  if (dtype === 'f16') return new Uint16Array(bytes, 0, elements);
  if (dtype === 'i32') return new Int32Array(bytes, 0, elements);
  if (dtype === 'u32') return new Uint32Array(bytes, 0, elements);
  return new Float32Array(bytes, 0, elements);
}

/** Copies move whole 32-bit words: an odd count of float16 is padded. */
export function wordBytes(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
