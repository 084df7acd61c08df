// C[batch] = epilogue(op(A[batch]) op(B[batch])) on GPUs, for any sizes: stores its sums one by one. How it works
// is in matmul-tile.wgsl.

// needs matmul-shared.wgsl
// needs matmul-finish.wgsl
// needs matmul-tile.wgsl

/** C[row, col..col+3] = epilogue(sums); nothing outside the matrix is touched. */
fn finish_four(batch: u32, row: u32, col: u32, sums: vec4f) {
  let columns = min(params.n - min(col, params.n), 4u);
  for (var i = 0u; i < columns; i++) {
    finish(batch, row, col + i, sums[i]);
  }
}
