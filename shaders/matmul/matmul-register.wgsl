// C[batch] = epilogue(op(A[batch]) op(B[batch])), sums in f32, in the transposes a linear layer and its
// backward need. A workgroup of 8 lanes computes 32 x 32 of C; a lane computes 16 rows (the upper or lower half) x
// 8 columns in named registers and shares nothing with the others. Why this shape: for CPU adapters
// without subgroups. There every element loaded from a buffer costs tens of vector multiply-adds,
// whatever the address, and workgroup memory costs the same, so only registers save loads. Dispatch
// (ceil(n / 32), ceil(m / 32), batch).

// needs matmul-shared.wgsl
// needs matmul-finish.wgsl
// needs matmul-vec4.wgsl
// needs matmul-blocks.wgsl

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
