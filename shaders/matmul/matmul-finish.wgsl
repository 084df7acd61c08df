// The epilogue of the matrix multiplication kernels that store their sums one by one.

// needs gelu.wgsl

@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<f32>;
@group(0) @binding(6) var<storage, read_write> pre: array<f32>;

fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-x));
}

/** C[row, col] = epilogue(sum); nothing outside the matrix is touched. */
fn finish(batch: u32, row: u32, col: u32, sum: f32) {
  if (row >= params.m || col >= params.n) {
    return;
  }
  let i = batch * params.c_batch + row * params.ldc + col;
  var x = sum;
  if ((params.epilogue & BIAS) != 0u) {
    x += bias[col];
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
    x = gelu(x);
  } else if (ACTIVATION == 4u) {
    x *= gelu_derivative(pre[i]);
  }
  if ((params.epilogue & RESIDUAL) != 0u) {
    x += residual[i];
  }
  if ((params.epilogue & ACCUMULATE) != 0u) {
    x += c[i];
  }
  c[i] = x;
}
