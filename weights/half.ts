// The two 16-bit float formats of weight files, as float32.

/** IEEE half precision (as bits) to float32; exact. */
export function f16ToF32(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const table = halfTable();
  return Float32Array.from(halves, (half) => table[half]!);
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
