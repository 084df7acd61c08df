// The two 16-bit float formats of weight files, as float32.

/** IEEE half precision (as bits) to float32; exact. */
export function f16ToF32(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const result = new Float32Array(halves.length);
  widenHalves(halves, result);
  return result;
}

/** The same into the beginning of an array that is there already. */
export function widenHalves(halves: Uint16Array, into: Float32Array): void {
  const table = halfTable();
  // A loop: `from` with a function takes ten times as long, and checkpoints have 10^8 numbers.
  for (let i = 0; i < halves.length; i++) into[i] = table[halves[i]!]!;
}

/** bfloat16 (as bits) to float32; exact. */
export function bf16ToF32(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const result = new Float32Array(halves.length);
  const words = new Uint32Array(result.buffer);
  for (let i = 0; i < halves.length; i++) words[i] = halves[i]! << 16;
  return result;
}

let table: Float32Array<ArrayBuffer> | null = null;

/** The value of each of the 65,536 halves. */
function halfTable(): Float32Array<ArrayBuffer> {
  table ??= Float32Array.from({ length: 65_536 }, (_, half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >>> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
  return table;
}

/** float32 to IEEE half precision (as bits), rounded to nearest, ties to even; too large becomes infinite. */
export function f32ToF16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(Float32Array.from(values).buffer);
  return Uint16Array.from(words, (word) => {
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fffffff;
    if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
    if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and more round to infinity
    // Below the smallest normal half the fraction is counted in units of 2^-24.
    const exponent = (magnitude >>> 23) - 112;
    const shift = exponent > 0 ? 13 : Math.min(14 - exponent, 25);
    const significand =
      exponent > 0
        ? magnitude - (112 << 23)
        : (magnitude & 0x7fffff) | (magnitude >= 0x800000 ? 0x800000 : 0);
    const half = significand >>> shift;
    const rest = significand - half * 2 ** shift;
    const middle = 2 ** (shift - 1);
    // A carry out of the fraction goes into the exponent, as it should.
    return sign | (half + (rest > middle || (rest === middle && (half & 1) === 1) ? 1 : 0));
  });
}
