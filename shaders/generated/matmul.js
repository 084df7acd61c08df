// Made by `node shaders/generate.ts` from shaders/matmul; do not edit.

export const matmul = /** @type {const} */ ({
  'matmul-panel': {
    code: /** @type {string} */ (`enable subgroups;


















const CHUNKS: u32 = 2u;
const COLUMNS: u32 = 2u;
const CONTINUES: bool = true;

@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> pre: array<vec4f>;

const BLOCK = 32u * CHUNKS;


alias Panel = array<vec4f, BLOCK * COLUMNS>;


alias Chunks = array<vec4f, 4>;


struct Columns {
  left: vec4f,
  right: vec4f,
}


struct Fate {
  bias: Columns,
  epilogue: u32,
  is_last: bool,
  goes_on: bool,
}


fn if_real(four: vec4f, k: u32) -> vec4f {
  return select(vec4f(), four, k < params.k);
}


fn a_from(base: u32, row: u32, k: u32) -> vec4f {
  if (TRANS_A) {
    return if_real(a_four(base + min(k, params.k - 1u) * params.lda + row), k);
  }
  return if_real(a_four(base + row * params.lda + min(k, params.k - 4u)), k);
}


fn b_from(base: u32, k0: u32, col: u32, e: u32) -> vec4f {
  if (TRANS_B) {
    let k = k0 + (e & ~3u);
    let row = min(col + (e & 3u), params.n - 1u);
    return if_real(b_four(base + row * params.ldb + min(k, params.k - 4u)), k);
  }
  let k = k0 + e;
  return if_real(b_four(base + min(k, params.k - 1u) * params.ldb + min(col, params.n - 4u)), k);
}


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


fn finish(i: u32, sums: vec4f, epilogue: u32) {
  var x = sums;
  if (ACTIVATION == 1u) {
    if ((epilogue & SAVE_PRE) != 0u) {
      pre[i >> 2u] = x;
    }
    x *= sigmoid(1.702 * x);
  } else if (ACTIVATION == 2u) {
    let p = pre[i >> 2u];
    let s = sigmoid(1.702 * p);
    x *= s * (1.0 + 1.702 * p * (1.0 - s));
  }
  if ((epilogue & RESIDUAL) != 0u) {
    x += residual[i >> 2u];
  }
  c[i >> 2u] = x;
}


fn run_row(panel: ptr<function, Panel>, i: u32, left: u32, columns: u32, x: Chunks, fate: Fate) {
  var sums = Columns();
  if (CONTINUES && fate.goes_on) {
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
  var bias = fate.bias;
  var j = 0u;
  loop {
    let col = left + 32u * j;
    if (col < params.n) {
      if (!CONTINUES || fate.is_last) {
        finish(i + col, sums.left + bias.left, fate.epilogue);
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

  let some = min(params.m, 1u);
  let columns = COLUMNS * some;
  let elements = BLOCK * some;
  let fours = 4u * some;

  var fate = Fate();
  if ((params.epilogue & BIAS) != 0u) {
    var j = 0u;
    loop {
      fate.bias.left = fate.bias.right;
      fate.bias.right = bias[min(left + 32u * j, params.n - 4u) >> 2u];
      continuing {
        j++;
        break if j >= columns;
      }
    }
    if (COLUMNS == 1u) {
      fate.bias.left = fate.bias.right;
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
    fate.is_last = !CONTINUES || k0 + BLOCK >= params.k;
    fate.epilogue = params.epilogue;
    fate.goes_on = k0 > 0u || (params.epilogue & ACCUMULATE) != 0u;
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
          run_row(&panel, i + r * params.ldc, left, columns, Chunks(b0[0], b1[0], b2[0], b3[0]), fate);
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
        run_row(&panel, i, left, columns, x, fate);
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





struct Params {
  m: u32,
  n: u32,
  k: u32,
  lda: u32,
  ldb: u32,
  ldc: u32,
  a_batch: u32,
  b_batch: u32,
  c_batch: u32,
  run: u32,
  epilogue: u32,
}


alias Weight = f32;

const TRANS_A: bool = false;
const TRANS_B: bool = false;
const VECTOR_A: bool = false;
const VECTOR_B: bool = false;
const ACTIVATION: u32 = 0u;


const BIAS = 1u;
const SAVE_PRE = 2u;
const RESIDUAL = 4u;
const ACCUMULATE = 8u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4<Weight>>;

fn a_at(i: u32) -> f32 {
  return a[i >> 2u][i & 3u];
}

fn b_at(i: u32) -> f32 {
  return f32(b[i >> 2u][i & 3u]);
}




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
`),
    entries: {"matmul":["c","bias","residual","pre","a","b"]},
    buffers: {"c":{"binding":3,"access":"read_write"},"bias":{"binding":4,"access":"read"},"residual":{"binding":5,"access":"read"},"pre":{"binding":6,"access":"read_write"},"a":{"binding":1,"access":"read"},"b":{"binding":2,"access":"read"}},
    params: {"m":"u32","n":"u32","k":"u32","lda":"u32","ldb":"u32","ldc":"u32","a_batch":"u32","b_batch":"u32","c_batch":"u32","run":"u32","epilogue":"u32"},
    constants: {"CHUNKS":"u32","COLUMNS":"u32","CONTINUES":"bool","TRANS_A":"bool","TRANS_B":"bool","VECTOR_A":"bool","VECTOR_B":"bool","ACTIVATION":"u32","Weight":"type"},
  },
  'matmul-register': {
    code: /** @type {string} */ (`












fn a_row(base: u32, row: u32, k: u32) -> vec4f {
  return a_four(base + min(row, params.m - 1u) * params.lda + k);
}


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





struct Params {
  m: u32,
  n: u32,
  k: u32,
  lda: u32,
  ldb: u32,
  ldc: u32,
  a_batch: u32,
  b_batch: u32,
  c_batch: u32,
  run: u32,
  epilogue: u32,
}


alias Weight = f32;

const TRANS_A: bool = false;
const TRANS_B: bool = false;
const VECTOR_A: bool = false;
const VECTOR_B: bool = false;
const ACTIVATION: u32 = 0u;


const BIAS = 1u;
const SAVE_PRE = 2u;
const RESIDUAL = 4u;
const ACCUMULATE = 8u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4<Weight>>;

fn a_at(i: u32) -> f32 {
  return a[i >> 2u][i & 3u];
}

fn b_at(i: u32) -> f32 {
  return f32(b[i >> 2u][i & 3u]);
}



@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<f32>;
@group(0) @binding(6) var<storage, read_write> pre: array<f32>;

fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-x));
}


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




const TAIL: bool = true;


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
`),
    entries: {"matmul":["a","b","c","bias","residual","pre"]},
    buffers: {"a":{"binding":1,"access":"read"},"b":{"binding":2,"access":"read"},"c":{"binding":3,"access":"read_write"},"bias":{"binding":4,"access":"read"},"residual":{"binding":5,"access":"read"},"pre":{"binding":6,"access":"read_write"}},
    params: {"m":"u32","n":"u32","k":"u32","lda":"u32","ldb":"u32","ldc":"u32","a_batch":"u32","b_batch":"u32","c_batch":"u32","run":"u32","epilogue":"u32"},
    constants: {"TRANS_A":"bool","TRANS_B":"bool","VECTOR_A":"bool","VECTOR_B":"bool","ACTIVATION":"u32","TAIL":"bool","Weight":"type"},
  },
  'matmul-subgroup': {
    code: /** @type {string} */ (`enable subgroups;
















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


  var tile = array<vec4f, 32>(
    c00, c01, c02, c03, c04, c05, c06, c07,
    c08, c09, c10, c11, c12, c13, c14, c15,
    c16, c17, c18, c19, c20, c21, c22, c23,
    c24, c25, c26, c27, c28, c29, c30, c31,
  );

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





struct Params {
  m: u32,
  n: u32,
  k: u32,
  lda: u32,
  ldb: u32,
  ldc: u32,
  a_batch: u32,
  b_batch: u32,
  c_batch: u32,
  run: u32,
  epilogue: u32,
}


alias Weight = f32;

const TRANS_A: bool = false;
const TRANS_B: bool = false;
const VECTOR_A: bool = false;
const VECTOR_B: bool = false;
const ACTIVATION: u32 = 0u;


const BIAS = 1u;
const SAVE_PRE = 2u;
const RESIDUAL = 4u;
const ACCUMULATE = 8u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4<Weight>>;

fn a_at(i: u32) -> f32 {
  return a[i >> 2u][i & 3u];
}

fn b_at(i: u32) -> f32 {
  return f32(b[i >> 2u][i & 3u]);
}



@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<f32>;
@group(0) @binding(6) var<storage, read_write> pre: array<f32>;

fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-x));
}


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




const TAIL: bool = true;


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
`),
    entries: {"matmul":["a","b","c","bias","residual","pre"]},
    buffers: {"a":{"binding":1,"access":"read"},"b":{"binding":2,"access":"read"},"c":{"binding":3,"access":"read_write"},"bias":{"binding":4,"access":"read"},"residual":{"binding":5,"access":"read"},"pre":{"binding":6,"access":"read_write"}},
    params: {"m":"u32","n":"u32","k":"u32","lda":"u32","ldb":"u32","ldc":"u32","a_batch":"u32","b_batch":"u32","c_batch":"u32","run":"u32","epilogue":"u32"},
    constants: {"TRANS_A":"bool","TRANS_B":"bool","VECTOR_A":"bool","VECTOR_B":"bool","ACTIVATION":"u32","TAIL":"bool","Weight":"type"},
  },
  'matmul-tiled': {
    code: /** @type {string} */ (`









const TILE_M: u32 = 64u;
const TILE_N: u32 = 64u;
const TILE_K: u32 = 16u;
const ROWS: u32 = 4u;
const COLS: u32 = 4u;

const THREADS_M: u32 = TILE_M / ROWS;
const THREADS_N: u32 = TILE_N / COLS;
const THREADS: u32 = THREADS_M * THREADS_N;


const A_STRIDE: u32 = TILE_M + 1u;
const B_STRIDE: u32 = TILE_N + 1u;
var<workgroup> a_tile: array<f32, TILE_K * A_STRIDE>;
var<workgroup> b_tile: array<f32, TILE_K * B_STRIDE>;


fn stage(batch: u32, row0: u32, col0: u32, k0: u32, thread: u32) {
  for (var i = thread; i < TILE_M * TILE_K; i += THREADS) {

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





struct Params {
  m: u32,
  n: u32,
  k: u32,
  lda: u32,
  ldb: u32,
  ldc: u32,
  a_batch: u32,
  b_batch: u32,
  c_batch: u32,
  run: u32,
  epilogue: u32,
}


alias Weight = f32;

const TRANS_A: bool = false;
const TRANS_B: bool = false;
const VECTOR_A: bool = false;
const VECTOR_B: bool = false;
const ACTIVATION: u32 = 0u;


const BIAS = 1u;
const SAVE_PRE = 2u;
const RESIDUAL = 4u;
const ACCUMULATE = 8u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4<Weight>>;

fn a_at(i: u32) -> f32 {
  return a[i >> 2u][i & 3u];
}

fn b_at(i: u32) -> f32 {
  return f32(b[i >> 2u][i & 3u]);
}



@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<f32>;
@group(0) @binding(6) var<storage, read_write> pre: array<f32>;

fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-x));
}


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
`),
    entries: {"matmul":["a","b","c","bias","residual","pre"]},
    buffers: {"a":{"binding":1,"access":"read"},"b":{"binding":2,"access":"read"},"c":{"binding":3,"access":"read_write"},"bias":{"binding":4,"access":"read"},"residual":{"binding":5,"access":"read"},"pre":{"binding":6,"access":"read_write"}},
    params: {"m":"u32","n":"u32","k":"u32","lda":"u32","ldb":"u32","ldc":"u32","a_batch":"u32","b_batch":"u32","c_batch":"u32","run":"u32","epilogue":"u32"},
    constants: {"TILE_M":"u32","TILE_N":"u32","TILE_K":"u32","ROWS":"u32","COLS":"u32","TRANS_A":"bool","TRANS_B":"bool","VECTOR_A":"bool","VECTOR_B":"bool","ACTIVATION":"u32","Weight":"type"},
  },
});
