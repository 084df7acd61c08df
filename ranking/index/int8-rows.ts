// Rows of numbers in 8 bits with a scale a row, on the host: an entity's queries take half of what float16 takes. A number
// is off by at most half a scale, 1/254 of its row's largest.

import { f16ToF32, f32ToF16 } from '../../weights/half.ts';

export interface Int8Rows {
  /** The numbers in units of their row's scale, -127 to 127. */
  values: Int8Array<ArrayBuffer>;
  /** A row, float16 as bits. */
  scales: Uint16Array<ArrayBuffer>;
}

const most = 127;
const largestHalf = 0x7bff;

/**
 * Rounds rows of `width` numbers. The scale is the smallest half in which the row's largest number is at most 127. What is
 * beyond the largest half times 127 or not finite has an infinite scale.
 */
export function toInt8Rows(rows: Float32Array, width: number): Int8Rows {
  const count = rows.length / width;
  const wanted = new Float32Array(count);
  for (let r = 0; r < count; r++) {
    let top = 0;
    for (let i = r * width; i < (r + 1) * width; i++) {
      const size = Math.abs(rows[i]!);
      // NaN compares as false.
      if (!(size <= top)) top = Number.isNaN(size) ? Number.POSITIVE_INFINITY : size;
    }
    wanted[r] = top / most;
  }
  const scales = f32ToF16(wanted);
  const near = f16ToF32(scales);
  for (let r = 0; r < count; r++) {
    if (near[r]! < wanted[r]! && scales[r]! <= largestHalf) scales[r]!++;
  }
  const exact = f16ToF32(scales);
  const values = new Int8Array(rows.length);
  for (let r = 0; r < count; r++) {
    const scale = exact[r]!;
    if (scale === 0) continue;
    for (let i = r * width; i < (r + 1) * width; i++) values[i] = Math.round(rows[i]! / scale);
  }
  return { values, scales };
}

/** Rows in 8 bits, with their scales as numbers, as float32 into the beginning of an array that is there already. */
export function fromInt8Rows(
  values: Int8Array,
  scales: Float32Array,
  width: number,
  into: Float32Array,
): void {
  for (let r = 0; r < scales.length; r++) {
    const scale = scales[r]!;
    for (let i = r * width; i < (r + 1) * width; i++) into[i] = scale * values[i]!;
  }
}
