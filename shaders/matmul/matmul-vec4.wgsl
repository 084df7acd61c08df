// Loads of four consecutive elements, for the matrix multiplication kernels that keep them in registers.

/** Four consecutive elements of A from element i, one load where the rows are aligned. */
fn a_four(i: u32) -> vec4f {
  if (VECTOR_A) {
    return a[i >> 2u];
  }
  return vec4f(a_at(i), a_at(i + 1u), a_at(i + 2u), a_at(i + 3u));
}

fn b_four(i: u32) -> vec4f {
  if (VECTOR_B) {
    return vec4f(b[i >> 2u]);
  }
  return vec4f(b_at(i), b_at(i + 1u), b_at(i + 2u), b_at(i + 3u));
}
