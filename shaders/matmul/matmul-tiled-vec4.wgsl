// C[batch] = epilogue(op(A[batch]) op(B[batch])) on GPUs, where n is a multiple of 4: stores four sums at a time.
// How it works is in matmul-tile.wgsl.

// needs matmul-shared.wgsl
// needs matmul-tile.wgsl
// needs gelu.wgsl

@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> pre: array<vec4f>;

fn sigmoid(x: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(-x));
}

/** C[row, col..col+3] = epilogue(sums); nothing outside the matrix is touched. */
fn finish_four(batch: u32, row: u32, col: u32, sums: vec4f) {
  if (row >= params.m || col >= params.n) {
    return;
  }
  let i = (batch * params.c_batch + row * params.ldc + col) >> 2u;
  var x = sums;
  if ((params.epilogue & BIAS) != 0u) {
    x += bias[col >> 2u];
  }
  if ((params.epilogue & SAVE_PRE) != 0u) {
    pre[i] = x;
  }
  if (ACTIVATION == 1u) {
    x *= sigmoid(1.702 * x);
  } else if (ACTIVATION == 2u) {
    let p = pre[i];
    let s = sigmoid(1.702 * p);
    x *= s * (1.0 + 1.702 * p * (1.0 - s));
  } else if (ACTIVATION == 3u) {
    x = gelu_four(x);
  } else if (ACTIVATION == 4u) {
    x *= gelu_derivative_four(pre[i]);
  }
  if ((params.epilogue & RESIDUAL) != 0u) {
    x += residual[i];
  }
  if ((params.epilogue & ACCUMULATE) != 0u) {
    x += c[i];
  }
  c[i] = x;
}
