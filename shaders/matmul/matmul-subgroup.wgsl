enable subgroups;

// C[batch] = epilogue(op(A[batch]) op(B[batch])), sums in f32, in the transposes a linear layer and its
// backward need. A workgroup of 8 lanes computes 32 x 32 of C: lane l computes the columns 4 l .. 4 l + 3 of all
// 32 rows, in named registers. Why this shape: on a CPU adapter a lane is one SIMD lane and every element
// loaded from a buffer costs tens of vector multiply-adds, whatever the address, while a broadcast from a
// lane costs one or two. So each lane loads a different part of A, once, and the others take it
// by broadcast: 64 loaded elements a k for 1024 multiply-adds. For what matmul-panel.wgsl cannot load in fours,
// and for few rows of long sums in TRANS_A. Needs subgroups of at least 8 invocations.
// Dispatch (ceil(n / 32), ceil(m / 32), batch).

// needs matmul-shared.wgsl
// needs matmul-finish.wgsl
// needs matmul-vec4.wgsl
// needs matmul-blocks.wgsl

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

  // Register c[8 j + l] is the row that register j of lane l loaded.
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
