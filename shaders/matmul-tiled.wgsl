// C[batch] = epilogue(op(A[batch]) op(B[batch])), sums in f32, in the transposes a linear layer and its
// backward need. A workgroup owns TILE_M x TILE_N of C and walks k in steps of TILE_K, whose parts of A
// and B it stages in workgroup memory; an invocation owns ROWS x COLS sums, spaced by the number of
// invocations so that neighbours read and write neighbouring columns. Why this shape: for GPUs, where an
// element staged once serves TILE_N (or TILE_M) sums and the registers cut the reads of workgroup memory
// to (ROWS + COLS) for ROWS * COLS multiply-adds. Dispatch (ceil(n / TILE_N), ceil(m / TILE_M), batch).

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

const TILE_M: u32 = 64u;
const TILE_N: u32 = 64u;
const TILE_K: u32 = 16u;
const ROWS: u32 = 4u; // divides TILE_M
const COLS: u32 = 4u; // divides TILE_N

const THREADS_M: u32 = TILE_M / ROWS;
const THREADS_N: u32 = TILE_N / COLS;
const THREADS: u32 = THREADS_M * THREADS_N; // at most 256 without a raised limit

// One element of padding a row keeps the transposing writes off one memory bank.
const A_STRIDE: u32 = TILE_M + 1u;
const B_STRIDE: u32 = TILE_N + 1u;
var<workgroup> a_tile: array<f32, TILE_K * A_STRIDE>; // [k, row]
var<workgroup> b_tile: array<f32, TILE_K * B_STRIDE>; // [k, column]

fn a_at(i: u32) -> f32 {
  return a[i >> 2u][i & 3u];
}

fn b_at(i: u32) -> f32 {
  return f32(b[i >> 2u][i & 3u]);
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

/** Stages A[row0.., k0..] and B[k0.., col0..]; outside the matrices 0, so that the sums are untouched. */
fn stage(batch: u32, row0: u32, col0: u32, k0: u32, thread: u32) {
  for (var i = thread; i < TILE_M * TILE_K; i += THREADS) {
    // The faster index follows memory.
    let row = select(i / TILE_K, i % TILE_M, TRANS_A);
    let k = select(i % TILE_K, i / TILE_M, TRANS_A);
    var x = 0.0;
    if (row0 + row < params.m && k0 + k < params.k) {
      let at = select((row0 + row) * params.lda + k0 + k, (k0 + k) * params.lda + row0 + row, TRANS_A);
      x = a_at(batch * params.a_batch + at);
    }
    a_tile[k * A_STRIDE + row] = x;
  }
  for (var i = thread; i < TILE_N * TILE_K; i += THREADS) {
    let col = select(i % TILE_N, i / TILE_K, TRANS_B);
    let k = select(i / TILE_N, i % TILE_K, TRANS_B);
    var x = 0.0;
    if (col0 + col < params.n && k0 + k < params.k) {
      let at = select((k0 + k) * params.ldb + col0 + col, (col0 + col) * params.ldb + k0 + k, TRANS_B);
      x = b_at(batch * params.b_batch + at);
    }
    b_tile[k * B_STRIDE + col] = x;
  }
}

@compute @workgroup_size(THREADS)
fn matmul(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row0 = group.y * TILE_M;
  let col0 = group.x * TILE_N;
  let row = thread / THREADS_N;
  let col = thread % THREADS_N;
  var sums: array<f32, ROWS * COLS>;
  var b_part: array<f32, COLS>;

  for (var k0 = 0u; k0 < params.k; k0 += TILE_K) {
    stage(group.z, row0, col0, k0, thread);
    workgroupBarrier();
    // All of TILE_K but for the last step: a zero times an infinity of the other operand would be NaN.
    let steps = min(TILE_K, params.k - k0);
    for (var k = 0u; k < steps; k++) {
      for (var j = 0u; j < COLS; j++) {
        b_part[j] = b_tile[k * B_STRIDE + col + j * THREADS_N];
      }
      for (var i = 0u; i < ROWS; i++) {
        let x = a_tile[k * A_STRIDE + row + i * THREADS_M];
        for (var j = 0u; j < COLS; j++) {
          sums[i * COLS + j] += x * b_part[j];
        }
      }
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < ROWS; i++) {
    for (var j = 0u; j < COLS; j++) {
      finish(group.z, row0 + row + i * THREADS_M, col0 + col + j * THREADS_N, sums[i * COLS + j]);
    }
  }
}
