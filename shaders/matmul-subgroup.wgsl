enable subgroups;

// C[batch] = epilogue(op(A[batch]) op(B[batch])), sums in f32, in the transposes a linear layer and its
// backward need. A workgroup of 8 lanes owns 32 x 32 of C: lane l owns the columns 4 l .. 4 l + 3 of all
// 32 rows, in named registers. Why this shape: on a CPU adapter a lane is one SIMD lane and every element
// brought from a buffer costs about as much as three vector multiply-adds, whatever the address, while a
// broadcast from a lane costs one. So each lane brings a different part of A, once, and the others take it
// by broadcast: 64 loaded elements a k for 1024 multiply-adds. Needs subgroups of at least 8 invocations.
// Dispatch (ceil(n / 32), ceil(m / 32), batch).

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

/** A[row, k..k+3] of this lane's row, or in TRANS_A the block A[row..row+3, k..k+3] by rows. */
fn a_block(base: u32, row: u32, k: u32) -> mat4x4f {
  let i = base + k * params.lda + min(row, (params.m - 1u) & ~3u);
  return transpose(mat4x4f(
    a_four(i),
    a_four(i + params.lda),
    a_four(i + 2u * params.lda),
    a_four(i + 3u * params.lda),
  ));
}

@compute @workgroup_size(8)
fn matmul(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row0 = group.y * 32u;
  let col = group.x * 32u + 4u * lane;
  let batch = group.z;
  let a_base = batch * params.a_batch;
  let b_base = batch * params.b_batch;
  let last = params.m - 1u;

  // Rows of A by lane. Stored [m, k]: register j of lane l holds row 8 j + l. Stored [k, m]: row 4 l + j.
  var own0 = row0 + lane;
  var own1 = own0 + 8u;
  var own2 = own0 + 16u;
  var own3 = own0 + 24u;
  if (TRANS_A) {
    own0 = row0 + 4u * lane;
    own1 = own0 + 1u;
    own2 = own0 + 2u;
    own3 = own0 + 3u;
  }
  own0 = min(own0, last);
  own1 = min(own1, last);
  own2 = min(own2, last);
  own3 = min(own3, last);

  var c00 = vec4f(); var c01 = vec4f(); var c02 = vec4f(); var c03 = vec4f();
  var c04 = vec4f(); var c05 = vec4f(); var c06 = vec4f(); var c07 = vec4f();
  var c08 = vec4f(); var c09 = vec4f(); var c10 = vec4f(); var c11 = vec4f();
  var c12 = vec4f(); var c13 = vec4f(); var c14 = vec4f(); var c15 = vec4f();
  var c16 = vec4f(); var c17 = vec4f(); var c18 = vec4f(); var c19 = vec4f();
  var c20 = vec4f(); var c21 = vec4f(); var c22 = vec4f(); var c23 = vec4f();
  var c24 = vec4f(); var c25 = vec4f(); var c26 = vec4f(); var c27 = vec4f();
  var c28 = vec4f(); var c29 = vec4f(); var c30 = vec4f(); var c31 = vec4f();

  let whole = params.k & ~3u;
  for (var k = 0u; k < whole; k += 4u) {
    let block = b_block(b_base, k, col);
    var a0: vec4f;
    var a1: vec4f;
    var a2: vec4f;
    var a3: vec4f;
    if (TRANS_A) {
      let four = a_block(a_base, row0 + 4u * lane, k);
      a0 = four[0];
      a1 = four[1];
      a2 = four[2];
      a3 = four[3];
    } else {
      a0 = a_four(a_base + own0 * params.lda + k);
      a1 = a_four(a_base + own1 * params.lda + k);
      a2 = a_four(a_base + own2 * params.lda + k);
      a3 = a_four(a_base + own3 * params.lda + k);
    }
    c00 += block * subgroupBroadcast(a0, 0u);
    c01 += block * subgroupBroadcast(a0, 1u);
    c02 += block * subgroupBroadcast(a0, 2u);
    c03 += block * subgroupBroadcast(a0, 3u);
    c04 += block * subgroupBroadcast(a0, 4u);
    c05 += block * subgroupBroadcast(a0, 5u);
    c06 += block * subgroupBroadcast(a0, 6u);
    c07 += block * subgroupBroadcast(a0, 7u);
    c08 += block * subgroupBroadcast(a1, 0u);
    c09 += block * subgroupBroadcast(a1, 1u);
    c10 += block * subgroupBroadcast(a1, 2u);
    c11 += block * subgroupBroadcast(a1, 3u);
    c12 += block * subgroupBroadcast(a1, 4u);
    c13 += block * subgroupBroadcast(a1, 5u);
    c14 += block * subgroupBroadcast(a1, 6u);
    c15 += block * subgroupBroadcast(a1, 7u);
    c16 += block * subgroupBroadcast(a2, 0u);
    c17 += block * subgroupBroadcast(a2, 1u);
    c18 += block * subgroupBroadcast(a2, 2u);
    c19 += block * subgroupBroadcast(a2, 3u);
    c20 += block * subgroupBroadcast(a2, 4u);
    c21 += block * subgroupBroadcast(a2, 5u);
    c22 += block * subgroupBroadcast(a2, 6u);
    c23 += block * subgroupBroadcast(a2, 7u);
    c24 += block * subgroupBroadcast(a3, 0u);
    c25 += block * subgroupBroadcast(a3, 1u);
    c26 += block * subgroupBroadcast(a3, 2u);
    c27 += block * subgroupBroadcast(a3, 3u);
    c28 += block * subgroupBroadcast(a3, 4u);
    c29 += block * subgroupBroadcast(a3, 5u);
    c30 += block * subgroupBroadcast(a3, 6u);
    c31 += block * subgroupBroadcast(a3, 7u);
  }

  for (var k = whole; TAIL && k < params.k; k++) {
    let row = b_row(b_base, k, col);
    let a0 = a_at(a_base + select(own0 * params.lda + k, k * params.lda + own0, TRANS_A));
    let a1 = a_at(a_base + select(own1 * params.lda + k, k * params.lda + own1, TRANS_A));
    let a2 = a_at(a_base + select(own2 * params.lda + k, k * params.lda + own2, TRANS_A));
    let a3 = a_at(a_base + select(own3 * params.lda + k, k * params.lda + own3, TRANS_A));
    c00 += row * subgroupBroadcast(a0, 0u);
    c01 += row * subgroupBroadcast(a0, 1u);
    c02 += row * subgroupBroadcast(a0, 2u);
    c03 += row * subgroupBroadcast(a0, 3u);
    c04 += row * subgroupBroadcast(a0, 4u);
    c05 += row * subgroupBroadcast(a0, 5u);
    c06 += row * subgroupBroadcast(a0, 6u);
    c07 += row * subgroupBroadcast(a0, 7u);
    c08 += row * subgroupBroadcast(a1, 0u);
    c09 += row * subgroupBroadcast(a1, 1u);
    c10 += row * subgroupBroadcast(a1, 2u);
    c11 += row * subgroupBroadcast(a1, 3u);
    c12 += row * subgroupBroadcast(a1, 4u);
    c13 += row * subgroupBroadcast(a1, 5u);
    c14 += row * subgroupBroadcast(a1, 6u);
    c15 += row * subgroupBroadcast(a1, 7u);
    c16 += row * subgroupBroadcast(a2, 0u);
    c17 += row * subgroupBroadcast(a2, 1u);
    c18 += row * subgroupBroadcast(a2, 2u);
    c19 += row * subgroupBroadcast(a2, 3u);
    c20 += row * subgroupBroadcast(a2, 4u);
    c21 += row * subgroupBroadcast(a2, 5u);
    c22 += row * subgroupBroadcast(a2, 6u);
    c23 += row * subgroupBroadcast(a2, 7u);
    c24 += row * subgroupBroadcast(a3, 0u);
    c25 += row * subgroupBroadcast(a3, 1u);
    c26 += row * subgroupBroadcast(a3, 2u);
    c27 += row * subgroupBroadcast(a3, 3u);
    c28 += row * subgroupBroadcast(a3, 4u);
    c29 += row * subgroupBroadcast(a3, 5u);
    c30 += row * subgroupBroadcast(a3, 6u);
    c31 += row * subgroupBroadcast(a3, 7u);
  }

  // Register c[8 j + l] is the row that register j of lane l brought.
  var tile = array<vec4f, 32>(
    c00, c01, c02, c03, c04, c05, c06, c07,
    c08, c09, c10, c11, c12, c13, c14, c15,
    c16, c17, c18, c19, c20, c21, c22, c23,
    c24, c25, c26, c27, c28, c29, c30, c31,
  );
  // A bound unknown to the compiler: unrolled, the epilogues would be most of the code and of the compile time.
  let rows = select(32u, 0u, params.m == 0u);
  for (var r = 0u; r < rows; r++) {
    let row = row0 + select(r, 4u * (r & 7u) + (r >> 3u), TRANS_A);
    let sums = tile[r];
    finish(batch, row, col, sums.x);
    finish(batch, row, col + 1u, sums.y);
    finish(batch, row, col + 2u, sums.z);
    finish(batch, row, col + 3u, sums.w);
  }
}
