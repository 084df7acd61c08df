enable subgroups;

// C[batch] = epilogue(op(A[batch]) op(B[batch])), sums in f32, in the transposes a linear layer and its
// backward need. A workgroup of 8 lanes computes 32 COLUMNS columns of C (a lane 4 COLUMNS) and `run` rows.
// It takes k in blocks of 32 CHUNKS: loads the block's part of B into a private array, once, and then walks
// over its rows, one at a time. Why this shape: for CPU adapters, where a lane is one SIMD lane. There an
// element loaded from a buffer costs tens of multiply-adds, whatever the address, but one from a private
// array at a place known to the compiler costs nothing. So the loop over a block's k is written out, and
// the loop over rows is not. The lanes load different elements of A and shuffle them to each other. Wider
// blocks leave the instruction cache and take seconds to compile. Loops end at the bottom and stand around
// what would otherwise be written out twice: a loop that tests at the top runs its body once more with all
// lanes off, and the sums of both column blocks must meet in a loop before they are stored, or the compiler
// moves the products of the second past the stores of the first. Needs subgroups of at least 8 invocations;
// n, lda, ldb, ldc and the batch strides in multiples of 4, and k too where it runs along a stored row.
// Dispatch (ceil(n / (32 COLUMNS)), ceil(m / run), batch); in TRANS_A, m and run are multiples of 4.

// needs matmul-shared.wgsl
// needs matmul-vec4.wgsl
// needs gelu.wgsl

const CHUNKS: u32 = 2u;         // 1 to 4
const COLUMNS: u32 = 2u;        // 1 or 2
const CONTINUES: bool = true;   // k may be longer than a block, or the sums go on from those in C

@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> pre: array<vec4f>;

const BLOCK = 32u * CHUNKS; // length of a block's sums

/** The block of B for the columns of a lane: fours along B's stored rows, first those of the left columns. */
alias Panel = array<vec4f, BLOCK * COLUMNS>;

/** Four of A for each chunk of a block. */
alias Chunks = array<vec4f, 4>;

/** A number for each column of a lane: the left ones from `first` on, the right ones 32 further. */
struct Columns {
  left: vec4f,
  right: vec4f,
}

/** What the sums of a block become, besides C. */
struct BlockEpilogue {
  bias: Columns,
  epilogue: u32, // of params, 0 before the last block
  is_last: bool,
  goes_on: bool, // from the sums in C
}

/** Zeros beyond k, where both operands have them: others there may be NaN. */
fn if_real(four: vec4f, k: u32) -> vec4f {
  return select(vec4f(), four, k < params.k);
}

/** A[row, k..k+3]; in TRANS_A A[row..row+3, k]. */
fn a_from(base: u32, row: u32, k: u32) -> vec4f {
  if (TRANS_A) {
    return if_real(a_four(base + min(k, params.k - 1u) * params.lda + row), k);
  }
  return if_real(a_four(base + row * params.lda + min(k, params.k - 4u)), k);
}

/** Element e of the panel's part for the columns col..col+3. */
fn b_from(base: u32, k0: u32, col: u32, e: u32) -> vec4f {
  if (TRANS_B) {
    let k = k0 + (e & ~3u);
    let row = min(col + (e & 3u), params.n - 1u);
    return if_real(b_four(base + row * params.ldb + min(k, params.k - 4u)), k);
  }
  let k = k0 + e;
  return if_real(b_four(base + min(k, params.k - 1u) * params.ldb + min(col, params.n - 4u)), k);
}

/** Products of four k, from the panel's element e on. */
fn products(panel: ptr<function, Panel>, e: u32, x: vec4f) -> vec4f {
  let block = mat4x4f((*panel)[e], (*panel)[e + 1u], (*panel)[e + 2u], (*panel)[e + 3u]);
  if (TRANS_B) {
    return x * block;
  }
  return block * x;
}

fn add_four(panel: ptr<function, Panel>, s: Columns, e: u32, x: vec4f) -> Columns {
  if (COLUMNS == 1u) {
    return Columns(s.left + products(panel, e, x), s.right);
  }
  return Columns(s.left + products(panel, e, x), s.right + products(panel, BLOCK + e, x));
}

/** Adds the products of a chunk of 32 k, of which lane l holds A's four from 4 l on. */
fn add_chunk(panel: ptr<function, Panel>, sums: Columns, chunk: u32, x: vec4f) -> Columns {
  let e = 32u * chunk;
  var s = add_four(panel, sums, e, subgroupShuffle(x, 0u));
  s = add_four(panel, s, e + 4u, subgroupShuffle(x, 1u));
  s = add_four(panel, s, e + 8u, subgroupShuffle(x, 2u));
  s = add_four(panel, s, e + 12u, subgroupShuffle(x, 3u));
  s = add_four(panel, s, e + 16u, subgroupShuffle(x, 4u));
  s = add_four(panel, s, e + 20u, subgroupShuffle(x, 5u));
  s = add_four(panel, s, e + 24u, subgroupShuffle(x, 6u));
  return add_four(panel, s, e + 28u, subgroupShuffle(x, 7u));
}

fn sigmoid(x: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(-x));
}

/** C from element i on = epilogue(sums). */
fn finish(i: u32, sums: vec4f, epilogue: u32) {
  var x = sums;
  if (ACTIVATION == 1u || ACTIVATION == 3u) {
    if ((epilogue & SAVE_PRE) != 0u) {
      pre[i >> 2u] = x;
    }
  }
  if (ACTIVATION == 1u) {
    x *= sigmoid(1.702 * x);
  } else if (ACTIVATION == 2u) {
    let p = pre[i >> 2u];
    let s = sigmoid(1.702 * p);
    x *= s * (1.0 + 1.702 * p * (1.0 - s));
  } else if (ACTIVATION == 3u) {
    x = gelu_four(x);
  } else if (ACTIVATION == 4u) {
    x *= gelu_derivative_four(pre[i >> 2u]);
  }
  if ((epilogue & RESIDUAL) != 0u) {
    x += residual[i >> 2u];
  }
  c[i >> 2u] = x;
}

/** A block's sums of the row of C that starts at element i, for the columns from `left` on. */
fn run_row(panel: ptr<function, Panel>, i: u32, left: u32, columns: u32, x: Chunks, then: BlockEpilogue) {
  var sums = Columns();
  if (CONTINUES && then.goes_on) {
    var j = 0u;
    loop {
      sums.left = sums.right;
      sums.right = c[(i + min(left + 32u * j, params.n - 4u)) >> 2u];
      continuing {
        j++;
        break if j >= columns;
      }
    }
    if (COLUMNS == 1u) {
      sums.left = sums.right;
    }
  }
  sums = add_chunk(panel, sums, 0u, x[0]);
  if (CHUNKS > 1u) { sums = add_chunk(panel, sums, 1u, x[1]); }
  if (CHUNKS > 2u) { sums = add_chunk(panel, sums, 2u, x[2]); }
  if (CHUNKS > 3u) { sums = add_chunk(panel, sums, 3u, x[3]); }
  var bias = then.bias;
  var j = 0u;
  loop {
    let col = left + 32u * j;
    if (col < params.n) {
      if (!CONTINUES || then.is_last) {
        finish(i + col, sums.left + bias.left, then.epilogue);
      } else {
        c[(i + col) >> 2u] = sums.left;
      }
    }
    sums.left = sums.right;
    bias.left = bias.right;
    continuing {
      j++;
      break if j >= columns;
    }
  }
}

@compute @workgroup_size(8)
fn matmul(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let left = group.x * 32u * COLUMNS + 4u * lane;
  let batch = group.z;
  let a_base = batch * params.a_batch;
  // Bounds unknown to the compiler: it would write these loops out.
  let some = min(params.m, 1u);
  let columns = COLUMNS * some;
  let elements = BLOCK * some;
  let fours = 4u * some;

  var then = BlockEpilogue();
  if ((params.epilogue & BIAS) != 0u) {
    var j = 0u;
    loop {
      then.bias.left = then.bias.right;
      then.bias.right = bias[min(left + 32u * j, params.n - 4u) >> 2u];
      continuing {
        j++;
        break if j >= columns;
      }
    }
    if (COLUMNS == 1u) {
      then.bias.left = then.bias.right;
    }
  }

  var panel: Panel;
  let first = group.y * params.run;
  let end = min(first + params.run, params.m);
  var k0 = 0u;
  loop {
    var j = 0u;
    loop {
      var e = 0u;
      loop {
        panel[BLOCK * j + e] = b_from(batch * params.b_batch, k0, left + 32u * j, e);
        continuing {
          e++;
          break if e >= elements;
        }
      }
      continuing {
        j++;
        break if j >= columns;
      }
    }
    then.is_last = !CONTINUES || k0 + BLOCK >= params.k;
    then.epilogue = params.epilogue;
    then.goes_on = k0 > 0u || (params.epilogue & ACCUMULATE) != 0u;
    let k = k0 + 4u * lane;
    var row = first;
    loop {
      let i = batch * params.c_batch + row * params.ldc;
      if (TRANS_A) {
        var b0 = mat4x4f(); var b1 = mat4x4f(); var b2 = mat4x4f(); var b3 = mat4x4f();
        var l = 0u;
        loop {
          b0 = mat4x4f(b0[1], b0[2], b0[3], a_from(a_base, row, k + l));
          if (CHUNKS > 1u) { b1 = mat4x4f(b1[1], b1[2], b1[3], a_from(a_base, row, k + l + 32u)); }
          if (CHUNKS > 2u) { b2 = mat4x4f(b2[1], b2[2], b2[3], a_from(a_base, row, k + l + 64u)); }
          if (CHUNKS > 3u) { b3 = mat4x4f(b3[1], b3[2], b3[3], a_from(a_base, row, k + l + 96u)); }
          continuing {
            l++;
            break if l >= fours;
          }
        }
        b0 = transpose(b0); b1 = transpose(b1); b2 = transpose(b2); b3 = transpose(b3);
        var r = 0u;
        loop {
          run_row(&panel, i + r * params.ldc, left, columns, Chunks(b0[0], b1[0], b2[0], b3[0]), then);
          b0 = mat4x4f(b0[1], b0[2], b0[3], b0[0]);
          b1 = mat4x4f(b1[1], b1[2], b1[3], b1[0]);
          b2 = mat4x4f(b2[1], b2[2], b2[3], b2[0]);
          b3 = mat4x4f(b3[1], b3[2], b3[3], b3[0]);
          continuing {
            r++;
            break if r >= fours;
          }
        }
      } else {
        var x = Chunks();
        x[0] = a_from(a_base, row, k);
        if (CHUNKS > 1u) { x[1] = a_from(a_base, row, k + 32u); }
        if (CHUNKS > 2u) { x[2] = a_from(a_base, row, k + 64u); }
        if (CHUNKS > 3u) { x[3] = a_from(a_base, row, k + 96u); }
        run_row(&panel, i, left, columns, x, then);
      }
      continuing {
        row += select(1u, 4u, TRANS_A);
        break if row >= end;
      }
    }
    continuing {
      k0 += BLOCK;
      break if !CONTINUES || k0 >= params.k;
    }
  }
}
