// Numbers of 32 bits stored as halves (IEEE 754 binary16), two a word, on any adapter: cast.wgsl needs shader-f16. What is
// beyond a half's range becomes infinite. An invocation takes one word, its neighbour the next.

// needs linear-index.wgsl
// needs numbers.wgsl

struct Params {
  n: u32, // numbers
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<u32>;
@group(0) @binding(3) var<storage, read> words: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

/** The bits of the half nearest to v, ties to even; NaN stays NaN. */
fn half_bits(v: f32) -> u32 {
  let bits = bitcast<u32>(v);
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if is_nan(v) { return sign | 0x7e00u; }
  if magnitude >= 0x477ff000u { return sign | 0x7c00u; } // 65520 and more round to infinity
  if magnitude < 0x33000000u { return sign; } // below 2^-25
  // Below the smallest normal half the fraction is counted in units of 2^-24.
  let exponent = i32(magnitude >> 23u) - 112;
  let is_normal = exponent > 0;
  let shift = u32(select(14 - exponent, 13, is_normal));
  let significand = select((magnitude & 0x7fffffu) | 0x800000u, magnitude - (112u << 23u), is_normal);
  let half = significand >> shift;
  let rest = significand & ((1u << shift) - 1u);
  let middle = 1u << (shift - 1u);
  let up = rest > middle || (rest == middle && (half & 1u) == 1u);
  return sign | (half + select(0u, 1u, up));
}

fn from_bits(half: u32) -> f32 {
  let sign = (half & 0x8000u) << 16u;
  let exponent = (half >> 10u) & 31u;
  let fraction = half & 1023u;
  if exponent == 0u {
    return bitcast<f32>(sign | bitcast<u32>(f32(fraction) * 5.9604644775390625e-8));
  }
  let wide = select(exponent + 112u, 255u, exponent == 31u);
  return bitcast<f32>(sign | (wide << 23u) | (fraction << 13u));
}

@compute @workgroup_size(64)
fn pack(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = 2u * linear_index(group, groups, lane);
  if i >= params.n { return; }
  let odd = i + 1u >= params.n;
  let second = select(x[select(i + 1u, i, odd)], 0.0, odd);
  packed[i / 2u] = half_bits(x[i]) | (half_bits(second) << 16u);
}

@compute @workgroup_size(64)
fn unpack(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
          @builtin(local_invocation_index) lane: u32) {
  let i = 2u * linear_index(group, groups, lane);
  if i >= params.n { return; }
  let word = words[i / 2u];
  y[i] = from_bits(word & 0xffffu);
  if i + 1u < params.n { y[i + 1u] = from_bits(word >> 16u); }
}
