// The body of the matrix multiplication kernels for GPUs. A workgroup computes TILE_M x TILE_N of C and walks k in
// steps of TILE_K, whose parts of A and B it stages in workgroup memory; an invocation computes 4 or 8 rows by 4 or 8
// columns, in blocks of 4 x 4 that lie half a tile apart. Why this shape: an element staged once serves TILE_N (or
// TILE_M) sums, and 8 x 8 sums in registers take four loads of fours from workgroup memory for 64 multiply-adds;
// fewer sums an invocation leave that memory the bottleneck. An invocation moves blocks of 4 x 4 elements: four
// loads of 16 bytes, turned in registers where memory runs along k. It loads the blocks of the next step into
// registers before it multiplies those of this one, so that the loads have that long to arrive. The sums have names
// and the loops over them are written out: an array that the driver does not unroll lies in memory, not in registers.
// Dispatch (ceil(n / TILE_N), ceil(m / TILE_M), batch).

const TILE_M: u32 = 64u; // ROWS times a power of 2, like TILE_N
const TILE_N: u32 = 64u;
const TILE_K: u32 = 16u; // a multiple of 4
const ROWS: u32 = 4u;    // 4 or 8
const COLS: u32 = 4u;    // 4 or 8

const THREADS_M: u32 = TILE_M / ROWS;
const THREADS_N: u32 = TILE_N / COLS;
const THREADS: u32 = THREADS_M * THREADS_N; // at most 256 without a raised limit
const STEPS: u32 = TILE_K / 4u;
const A_BLOCKS: u32 = STEPS * TILE_M / 4u;  // of 4 x 4 elements
const BLOCKS: u32 = A_BLOCKS + STEPS * TILE_N / 4u; // at most 2 THREADS

// Fours of rows (columns) for each k. One more a k: what is turned is written k by k, to other banks then.
const A_STRIDE: u32 = TILE_M / 4u + 1u;
const B_STRIDE: u32 = TILE_N / 4u + 1u;
var<workgroup> a_tile: array<vec4f, TILE_K * A_STRIDE>;
var<workgroup> b_tile: array<vec4f, TILE_K * B_STRIDE>;

/** The four elements of A's stored row from `first` on; 0 outside. */
fn a_four(base: u32, row: u32, rows: u32, first: u32, end: u32) -> vec4f {
  let i = base + row * params.lda + first;
  if (row >= rows || first >= end) {
    return vec4f();
  }
  if (VECTOR_A) {
    return a[i >> 2u];
  }
  var four = vec4f(a_at(i), 0.0, 0.0, 0.0);
  if (first + 1u < end) { four.y = a_at(i + 1u); }
  if (first + 2u < end) { four.z = a_at(i + 2u); }
  if (first + 3u < end) { four.w = a_at(i + 3u); }
  return four;
}

fn b_four(base: u32, row: u32, rows: u32, first: u32, end: u32) -> vec4f {
  let i = base + row * params.ldb + first;
  if (row >= rows || first >= end) {
    return vec4f();
  }
  if (VECTOR_B) {
    return vec4f(b[i >> 2u]);
  }
  var four = vec4f(b_at(i), 0.0, 0.0, 0.0);
  if (first + 1u < end) { four.y = b_at(i + 1u); }
  if (first + 2u < end) { four.z = b_at(i + 2u); }
  if (first + 3u < end) { four.w = b_at(i + 3u); }
  return four;
}

/** A[row..row+3, k..k+3], a column of the matrix for each k. */
fn a_block(base: u32, row: u32, k: u32) -> mat4x4f {
  if (TRANS_A) {
    return mat4x4f(
      a_four(base, k, params.k, row, params.m), a_four(base, k + 1u, params.k, row, params.m),
      a_four(base, k + 2u, params.k, row, params.m), a_four(base, k + 3u, params.k, row, params.m),
    );
  }
  return transpose(mat4x4f(
    a_four(base, row, params.m, k, params.k), a_four(base, row + 1u, params.m, k, params.k),
    a_four(base, row + 2u, params.m, k, params.k), a_four(base, row + 3u, params.m, k, params.k),
  ));
}

/** B[k..k+3, col..col+3], a column of the matrix for each k. */
fn b_block(base: u32, col: u32, k: u32) -> mat4x4f {
  if (TRANS_B) {
    return transpose(mat4x4f(
      b_four(base, col, params.n, k, params.k), b_four(base, col + 1u, params.n, k, params.k),
      b_four(base, col + 2u, params.n, k, params.k), b_four(base, col + 3u, params.n, k, params.k),
    ));
  }
  return mat4x4f(
    b_four(base, k, params.k, col, params.n), b_four(base, k + 1u, params.k, col, params.n),
    b_four(base, k + 2u, params.k, col, params.n), b_four(base, k + 3u, params.k, col, params.n),
  );
}

/** Where a block lies in its tile: x its four of rows (columns), y its k. Neighbours follow memory. */
fn place(block: u32, fours: u32, alongK: bool) -> vec2u {
  if (alongK) {
    return vec2u(block / STEPS, 4u * (block % STEPS));
  }
  return vec2u(block % fours, 4u * (block / fours));
}

/** Brings a block of the step that begins at k0: first those of A, then those of B. */
fn fetch(group: vec3u, block: u32, k0: u32) -> mat4x4f {
  if (block < A_BLOCKS) {
    let at = place(block, TILE_M / 4u, !TRANS_A);
    return a_block(group.z * params.a_batch, group.y * TILE_M + 4u * at.x, k0 + at.y);
  }
  if (block >= BLOCKS) {
    return mat4x4f();
  }
  let at = place(block - A_BLOCKS, TILE_N / 4u, TRANS_B);
  return b_block(group.z * params.b_batch, group.x * TILE_N + 4u * at.x, k0 + at.y);
}

fn stage(block: u32, x: mat4x4f) {
  if (block < A_BLOCKS) {
    let at = place(block, TILE_M / 4u, !TRANS_A);
    let i = at.y * A_STRIDE + at.x;
    a_tile[i] = x[0];
    a_tile[i + A_STRIDE] = x[1];
    a_tile[i + 2u * A_STRIDE] = x[2];
    a_tile[i + 3u * A_STRIDE] = x[3];
  } else if (block < BLOCKS) {
    let at = place(block - A_BLOCKS, TILE_N / 4u, TRANS_B);
    let i = at.y * B_STRIDE + at.x;
    b_tile[i] = x[0];
    b_tile[i + B_STRIDE] = x[1];
    b_tile[i + 2u * B_STRIDE] = x[2];
    b_tile[i + 3u * B_STRIDE] = x[3];
  }
}

@compute @workgroup_size(THREADS)
fn matmul(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = thread / THREADS_N;
  let col = thread % THREADS_N;
  // Rows 0 to 3 of the upper (u) and the lower (d) block, in the left (l) and the right (r) columns.
  var ul0 = vec4f(); var ul1 = vec4f(); var ul2 = vec4f(); var ul3 = vec4f();
  var ur0 = vec4f(); var ur1 = vec4f(); var ur2 = vec4f(); var ur3 = vec4f();
  var dl0 = vec4f(); var dl1 = vec4f(); var dl2 = vec4f(); var dl3 = vec4f();
  var dr0 = vec4f(); var dr1 = vec4f(); var dr2 = vec4f(); var dr3 = vec4f();

  var next = fetch(group, thread, 0u);
  var after = mat4x4f();
  if (BLOCKS > THREADS) { after = fetch(group, thread + THREADS, 0u); }
  for (var k0 = 0u; k0 < params.k; k0 += TILE_K) {
    stage(thread, next);
    if (BLOCKS > THREADS) { stage(thread + THREADS, after); }
    workgroupBarrier();
    // Beyond the last step this loads zeros.
    next = fetch(group, thread, k0 + TILE_K);
    if (BLOCKS > THREADS) { after = fetch(group, thread + THREADS, k0 + TILE_K); }
    for (var k = 0u; k < TILE_K; k++) {
      let u = a_tile[k * A_STRIDE + row];
      let l = b_tile[k * B_STRIDE + col];
      ul0 = fma(u.xxxx, l, ul0); ul1 = fma(u.yyyy, l, ul1); ul2 = fma(u.zzzz, l, ul2); ul3 = fma(u.wwww, l, ul3);
      if (COLS > 4u) {
        let r = b_tile[k * B_STRIDE + THREADS_N + col];
        ur0 = fma(u.xxxx, r, ur0); ur1 = fma(u.yyyy, r, ur1); ur2 = fma(u.zzzz, r, ur2); ur3 = fma(u.wwww, r, ur3);
      }
      if (ROWS > 4u) {
        let d = a_tile[k * A_STRIDE + THREADS_M + row];
        dl0 = fma(d.xxxx, l, dl0); dl1 = fma(d.yyyy, l, dl1); dl2 = fma(d.zzzz, l, dl2); dl3 = fma(d.wwww, l, dl3);
        if (COLS > 4u) {
          let r = b_tile[k * B_STRIDE + THREADS_N + col];
          dr0 = fma(d.xxxx, r, dr0); dr1 = fma(d.yyyy, r, dr1); dr2 = fma(d.zzzz, r, dr2); dr3 = fma(d.wwww, r, dr3);
        }
      }
    }
    workgroupBarrier();
  }

  let first_row = group.y * TILE_M + 4u * row;
  let first_col = group.x * TILE_N + 4u * col;
  finish_rows(group.z, first_row, first_col, mat4x4f(ul0, ul1, ul2, ul3));
  if (COLS > 4u) { finish_rows(group.z, first_row, first_col + TILE_N / 2u, mat4x4f(ur0, ur1, ur2, ur3)); }
  if (ROWS > 4u) {
    finish_rows(group.z, first_row + TILE_M / 2u, first_col, mat4x4f(dl0, dl1, dl2, dl3));
    if (COLS > 4u) {
      finish_rows(group.z, first_row + TILE_M / 2u, first_col + TILE_N / 2u, mat4x4f(dr0, dr1, dr2, dr3));
    }
  }
}

fn finish_rows(batch: u32, row: u32, col: u32, sums: mat4x4f) {
  finish_four(batch, row, col, sums[0]);
  finish_four(batch, row + 1u, col, sums[1]);
  finish_four(batch, row + 2u, col, sums[2]);
  finish_four(batch, row + 3u, col, sums[3]);
}
