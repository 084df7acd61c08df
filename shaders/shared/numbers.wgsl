// Tests on the bits of numbers: compilers may assume that no float is NaN or infinite, so max, select and, in some drivers,
// exp turn NaN into a number.

fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}
