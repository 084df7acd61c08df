// C[batch] = epilogue(op(A[batch]) op(B[batch])), sums in f32, in the transposes a linear layer and its
// backward need. A workgroup of 8 lanes owns 32 x 32 of C; a lane owns 16 rows (the upper or lower half) x
// 8 columns in named registers and shares nothing with the others. Why this shape: for CPU adapters
// without subgroups. There every element brought from a buffer costs about three vector multiply-adds,
// whatever the address, and workgroup memory costs the same, so only registers save loads. Dispatch
// (ceil(n / 32), ceil(m / 32), batch).

struct Params {
  m: u32,       // rows of C
  n: u32,       // columns of C
  k: u32,       // length of the sums
  lda: u32,     // elements from one stored row of A to the next
  ldb: u32,     // the same of B
  ldc: u32,     // the same of C, residual and pre
  a_batch: u32, // elements from one matrix of the batch to the next; 0 shares the operand
  b_batch: u32,
  c_batch: u32, // also of residual and pre
  epilogue: u32, // BIAS | SAVE_PRE | RESIDUAL | ACCUMULATE
}

// Storage type of B: f32, or f16 for weights stored in half precision (the sums are f32 either way).
alias Weight = f32;

const TRANS_A: bool = false;    // A is stored [k, m] instead of [m, k]
const TRANS_B: bool = false;    // B is stored [n, k] instead of [k, n]
const VECTOR_A: bool = false;   // lda and a_batch are multiples of 4
const VECTOR_B: bool = false;   // ldb and b_batch are multiples of 4
const TAIL: bool = true;         // k may be no multiple of 4; false leaves the loop for its rest out of the compiled code
const ACTIVATION: u32 = 0u;     // 0 none, 1 QuickGELU x sigmoid(1.702 x), 2 times QuickGELU'(pre)

// Bits of params.epilogue. They are read at run time, once an element, so that one compiled kernel serves all layers.
const BIAS = 1u;       // + bias[n]
const SAVE_PRE = 2u;   // pre = the value before the activation
const RESIDUAL = 4u;   // + residual[m, n]
const ACCUMULATE = 8u; // c += instead of c =

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4<Weight>>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<f32>;
@group(0) @binding(6) var<storage, read_write> pre: array<f32>;

fn a_at(i: u32) -> f32 {
  return a[i >> 2u][i & 3u];
}

fn b_at(i: u32) -> f32 {
  return f32(b[i >> 2u][i & 3u]);
}

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
  }
  if ((params.epilogue & RESIDUAL) != 0u) {
    x += residual[i];
  }
  if ((params.epilogue & ACCUMULATE) != 0u) {
    x += c[i];
  }
  c[i] = x;
}

/** A[row, k..k+3] of row. */
fn a_row(base: u32, row: u32, k: u32) -> vec4f {
  return a_four(base + min(row, params.m - 1u) * params.lda + k);
}

/** A[row..row+3, k..k+3] by rows: four sums' worth of A. */
fn a_block(base: u32, row: u32, k: u32) -> mat4x4f {
  if (TRANS_A) {
    let i = base + k * params.lda + min(row, (params.m - 1u) & ~3u);
    return transpose(mat4x4f(
      a_four(i),
      a_four(i + params.lda),
      a_four(i + 2u * params.lda),
      a_four(i + 3u * params.lda),
    ));
  }
  return mat4x4f(
    a_row(base, row, k),
    a_row(base, row + 1u, k),
    a_row(base, row + 2u, k),
    a_row(base, row + 3u, k),
  );
}

/** A[row..row+3, k]. */
fn a_column(base: u32, row: u32, k: u32) -> vec4f {
  if (TRANS_A) {
    return a_four(base + k * params.lda + min(row, (params.m - 1u) & ~3u));
  }
  let last = params.m - 1u;
  return vec4f(
    a_at(base + min(row, last) * params.lda + k),
    a_at(base + min(row + 1u, last) * params.lda + k),
    a_at(base + min(row + 2u, last) * params.lda + k),
    a_at(base + min(row + 3u, last) * params.lda + k),
  );
}

@compute @workgroup_size(8)
fn matmul(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row0 = group.y * 32u + 16u * (lane >> 2u);
  let col = group.x * 32u + 4u * (lane & 3u);
  let batch = group.z;
  let a_base = batch * params.a_batch;
  let b_base = batch * params.b_batch;

  // Left: columns col .. col + 3 of each row; right: 16 further.
  var left00 = vec4f(); var left01 = vec4f(); var left02 = vec4f(); var left03 = vec4f();
  var left04 = vec4f(); var left05 = vec4f(); var left06 = vec4f(); var left07 = vec4f();
  var left08 = vec4f(); var left09 = vec4f(); var left10 = vec4f(); var left11 = vec4f();
  var left12 = vec4f(); var left13 = vec4f(); var left14 = vec4f(); var left15 = vec4f();
  var right00 = vec4f(); var right01 = vec4f(); var right02 = vec4f(); var right03 = vec4f();
  var right04 = vec4f(); var right05 = vec4f(); var right06 = vec4f(); var right07 = vec4f();
  var right08 = vec4f(); var right09 = vec4f(); var right10 = vec4f(); var right11 = vec4f();
  var right12 = vec4f(); var right13 = vec4f(); var right14 = vec4f(); var right15 = vec4f();

  let whole = params.k & ~3u;
  for (var k = 0u; k < whole; k += 4u) {
    let bl = b_block(b_base, k, col);
    let br = b_block(b_base, k, col + 16u);
    let a0 = a_block(a_base, row0 + 0u, k);
    let a1 = a_block(a_base, row0 + 4u, k);
    let a2 = a_block(a_base, row0 + 8u, k);
    let a3 = a_block(a_base, row0 + 12u, k);
    left00 += bl * a0[0]; right00 += br * a0[0];
    left01 += bl * a0[1]; right01 += br * a0[1];
    left02 += bl * a0[2]; right02 += br * a0[2];
    left03 += bl * a0[3]; right03 += br * a0[3];
    left04 += bl * a1[0]; right04 += br * a1[0];
    left05 += bl * a1[1]; right05 += br * a1[1];
    left06 += bl * a1[2]; right06 += br * a1[2];
    left07 += bl * a1[3]; right07 += br * a1[3];
    left08 += bl * a2[0]; right08 += br * a2[0];
    left09 += bl * a2[1]; right09 += br * a2[1];
    left10 += bl * a2[2]; right10 += br * a2[2];
    left11 += bl * a2[3]; right11 += br * a2[3];
    left12 += bl * a3[0]; right12 += br * a3[0];
    left13 += bl * a3[1]; right13 += br * a3[1];
    left14 += bl * a3[2]; right14 += br * a3[2];
    left15 += bl * a3[3]; right15 += br * a3[3];
  }

  for (var k = whole; TAIL && k < params.k; k++) {
    let bl = b_row(b_base, k, col);
    let br = b_row(b_base, k, col + 16u);
    let a0 = a_column(a_base, row0 + 0u, k);
    let a1 = a_column(a_base, row0 + 4u, k);
    let a2 = a_column(a_base, row0 + 8u, k);
    let a3 = a_column(a_base, row0 + 12u, k);
    left00 += bl * a0[0]; right00 += br * a0[0];
    left01 += bl * a0[1]; right01 += br * a0[1];
    left02 += bl * a0[2]; right02 += br * a0[2];
    left03 += bl * a0[3]; right03 += br * a0[3];
    left04 += bl * a1[0]; right04 += br * a1[0];
    left05 += bl * a1[1]; right05 += br * a1[1];
    left06 += bl * a1[2]; right06 += br * a1[2];
    left07 += bl * a1[3]; right07 += br * a1[3];
    left08 += bl * a2[0]; right08 += br * a2[0];
    left09 += bl * a2[1]; right09 += br * a2[1];
    left10 += bl * a2[2]; right10 += br * a2[2];
    left11 += bl * a2[3]; right11 += br * a2[3];
    left12 += bl * a3[0]; right12 += br * a3[0];
    left13 += bl * a3[1]; right13 += br * a3[1];
    left14 += bl * a3[2]; right14 += br * a3[2];
    left15 += bl * a3[3]; right15 += br * a3[3];
  }

  var tile = array<vec4f, 32>(
    left00, left01, left02, left03, left04, left05, left06, left07,
    left08, left09, left10, left11, left12, left13, left14, left15,
    right00, right01, right02, right03, right04, right05, right06, right07,
    right08, right09, right10, right11, right12, right13, right14, right15,
  );
  // A bound unknown to the compiler: unrolled, the epilogues would be most of the code and of the compile time.
  let vectors = select(32u, 0u, params.m == 0u);
  for (var i = 0u; i < vectors; i++) {
    let row = row0 + (i & 15u);
    let first = col + (i & 16u);
    let sums = tile[i];
    finish(batch, row, first, sums.x);
    finish(batch, row, first + 1u, sums.y);
    finish(batch, row, first + 2u, sums.z);
    finish(batch, row, first + 3u, sums.w);
  }
}
