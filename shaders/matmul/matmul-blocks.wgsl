// Loads of 4 x 4 blocks of B, for the matrix multiplication kernels that keep them in registers. Positions
// beyond the matrix are clamped into it; what is computed from them is never stored.

const TAIL: bool = true;       // k may be no multiple of 4; false leaves the loop for its rest out of the compiled code

/** B[k..k+3, col..col+3], a column of the matrix for each k. */
fn b_block(base: u32, k: u32, col: u32) -> mat4x4f {
  if (TRANS_B) {
    let last = params.n - 1u;
    return transpose(mat4x4f(
      b_four(base + min(col, last) * params.ldb + k),
      b_four(base + min(col + 1u, last) * params.ldb + k),
      b_four(base + min(col + 2u, last) * params.ldb + k),
      b_four(base + min(col + 3u, last) * params.ldb + k),
    ));
  }
  let i = base + k * params.ldb + min(col, (params.n - 1u) & ~3u);
  return mat4x4f(
    b_four(i),
    b_four(i + params.ldb),
    b_four(i + 2u * params.ldb),
    b_four(i + 3u * params.ldb),
  );
}

/** B[k, col..col+3]. */
fn b_row(base: u32, k: u32, col: u32) -> vec4f {
  if (TRANS_B) {
    let last = params.n - 1u;
    return vec4f(
      b_at(base + min(col, last) * params.ldb + k),
      b_at(base + min(col + 1u, last) * params.ldb + k),
      b_at(base + min(col + 2u, last) * params.ldb + k),
      b_at(base + min(col + 3u, last) * params.ldb + k),
    );
  }
  return b_four(base + k * params.ldb + min(col, (params.n - 1u) & ~3u));
}
