// C[batch] = epilogue(op(A[batch]) op(B[batch])), sums in f32, in the transposes a linear layer and its
// backward need. A workgroup owns TILE_M x TILE_N of C and walks k in steps of TILE_K, whose parts of A
// and B it stages in workgroup memory; an invocation owns ROWS x COLS sums, spaced by the number of
// invocations so that neighbours read and write neighbouring columns. Why this shape: for GPUs, where an
// element staged once serves TILE_N (or TILE_M) sums and the registers cut the reads of workgroup memory
// to (ROWS + COLS) for ROWS * COLS multiply-adds. Dispatch (ceil(n / TILE_N), ceil(m / TILE_M), batch).

// needs matmul-shared.wgsl
// needs matmul-finish.wgsl

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
