// Gradients of scaled dot-product attention. With p_ij = exp(scale q_i.k_j - lse_i), rebuilt from the forward's lse:
//   dot_i = dout_i . out_i                       (`row_dots`)
//   ds_ij = scale p_ij (dout_i . v_j - dot_i)
//   dq_i = sum_j ds_ij k_j                       (`queries`)
//   dk_j = sum_i ds_ij q_i,  dv_j = sum_i p_ij dout_i   (`keys`)
// q, out, dout, dq [batch, lq, heads * HEAD_SIZE]; k, v, dk, dv [batch, lk, heads * HEAD_SIZE]; lse, dots
// [batch, heads, lq]; key_mask [batch, lk], 0 = not attended. Nothing of shape [L, L] is written and nothing is added
// atomically: `queries` walks the keys for its queries, `keys` the queries for its keys.
// An invocation owns one query (one key), with its rows and sums in registers; a workgroup owns ROWS of one head. The
// other side passes by: on GPUs staged in workgroup memory, STEP rows at a time, each element fetched once for ROWS
// invocations; on CPU adapters, where workgroup memory costs as much as a buffer, read directly (STAGED = false).
// Dispatch (ceil(lq / ROWS), heads, batch) for `queries` and `row_dots`, (ceil(lk / ROWS), heads, batch) for `keys`.

struct Params {
  heads: u32,
  lq: u32,
  lk: u32,
  scale: f32,
}

const HEAD_SIZE: u32 = 64u;  // 1 to 128
const CAUSAL: bool = false;  // query i sees the keys 0 to i
const HAS_KEY_MASK: bool = false;
const VECTOR: bool = false;  // HEAD_SIZE is a multiple of 4
const STAGED: bool = true;
const ROWS: u32 = 64u;
const STEP: u32 = 16u;
const FOURS: u32 = (HEAD_SIZE + 3u) / 4u; // groups of four features; the last may be partly beyond the head

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> dout: array<vec4f>;
@group(0) @binding(5) var<storage, read> lse: array<f32>;
@group(0) @binding(6) var<storage, read> dots: array<f32>;
@group(0) @binding(7) var<storage, read> key_mask: array<u32>;
@group(0) @binding(8) var<storage, read_write> first_gradient: array<f32>;  // dq, dk or the dots
@group(0) @binding(9) var<storage, read_write> second_gradient: array<f32>; // dv

var<workgroup> tile_a: array<vec4f, STEP * FOURS>; // keys, or queries
var<workgroup> tile_b: array<vec4f, STEP * FOURS>; // values, or gradients of the output

fn attended(batch: u32, query: u32, key: u32) -> bool {
  var yes = key < params.lk && query < params.lq;
  if CAUSAL { yes = yes && key <= query; }
  if HAS_KEY_MASK { yes = yes && key_mask[batch * params.lk + min(key, params.lk - 1u)] != 0u; }
  return yes;
}

/**
 * FOURS, but unknown to the compiler when nothing is staged: the compilers of CPU adapters spend many seconds on the
 * unrolled loops. Known on GPUs, where unrolling keeps the arrays in registers.
 */
fn four_count() -> u32 {
  return select(FOURS, 0u, !STAGED && params.heads == 0u);
}

/** First element of a token's row of one head. */
fn row_start(batch: u32, head: u32, length: u32, token: u32) -> u32 {
  return ((batch * length + min(token, length - 1u)) * params.heads + head) * HEAD_SIZE;
}

/** Zeroes the features beyond the head that the last group of four may hold. */
fn within(d: u32, x: vec4f) -> vec4f {
  return select(vec4f(), x, vec4u(d, d + 1u, d + 2u, d + 3u) < vec4u(HEAD_SIZE));
}

fn q_four(start: u32, f: u32) -> vec4f {
  let i = start + 4u * f;
  if VECTOR { return q[i >> 2u]; }
  return within(4u * f, vec4f(q[i >> 2u][i & 3u], q[(i + 1u) >> 2u][(i + 1u) & 3u],
                              q[(i + 2u) >> 2u][(i + 2u) & 3u], q[(i + 3u) >> 2u][(i + 3u) & 3u]));
}

fn k_four(start: u32, f: u32) -> vec4f {
  let i = start + 4u * f;
  if VECTOR { return k[i >> 2u]; }
  return within(4u * f, vec4f(k[i >> 2u][i & 3u], k[(i + 1u) >> 2u][(i + 1u) & 3u],
                              k[(i + 2u) >> 2u][(i + 2u) & 3u], k[(i + 3u) >> 2u][(i + 3u) & 3u]));
}

fn v_four(start: u32, f: u32) -> vec4f {
  let i = start + 4u * f;
  if VECTOR { return v[i >> 2u]; }
  return within(4u * f, vec4f(v[i >> 2u][i & 3u], v[(i + 1u) >> 2u][(i + 1u) & 3u],
                              v[(i + 2u) >> 2u][(i + 2u) & 3u], v[(i + 3u) >> 2u][(i + 3u) & 3u]));
}

fn dout_four(start: u32, f: u32) -> vec4f {
  let i = start + 4u * f;
  if VECTOR { return dout[i >> 2u]; }
  return within(4u * f, vec4f(dout[i >> 2u][i & 3u], dout[(i + 1u) >> 2u][(i + 1u) & 3u],
                              dout[(i + 2u) >> 2u][(i + 2u) & 3u], dout[(i + 3u) >> 2u][(i + 3u) & 3u]));
}

// dots = dout . out; `out` is bound as q.
@compute @workgroup_size(ROWS)
fn row_dots(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = group.x * ROWS + lane;
  if query >= params.lq { return; }
  let start = row_start(group.z, group.y, params.lq, query);
  let fours = four_count();
  var total = 0.0;
  for (var f = 0u; f < fours; f++) { total += dot(q_four(start, f), dout_four(start, f)); }
  first_gradient[(group.z * params.heads + group.y) * params.lq + query] = total;
}

@compute @workgroup_size(ROWS)
fn queries(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let fours = four_count();
  let head = group.y;
  let batch = group.z;
  let query = group.x * ROWS + lane;
  let start = row_start(batch, head, params.lq, query);
  let row = (batch * params.heads + head) * params.lq + min(query, params.lq - 1u);
  let own_lse = lse[row];
  let own_dot = dots[row];
  var own_q: array<vec4f, FOURS>;
  var own_dout: array<vec4f, FOURS>;
  var sums: array<vec4f, FOURS>;
  for (var f = 0u; f < fours; f++) {
    own_q[f] = q_four(start, f);
    own_dout[f] = dout_four(start, f);
  }
  var end = params.lk;
  if CAUSAL { end = min(end, (group.x + 1u) * ROWS); }
  for (var first = 0u; first < end; first += STEP) {
    if STAGED {
      for (var i = lane; i < STEP * FOURS; i += ROWS) {
        let other = row_start(batch, head, params.lk, first + i / FOURS);
        tile_a[i] = k_four(other, i % FOURS);
        tile_b[i] = v_four(other, i % FOURS);
      }
      workgroupBarrier();
    }
    for (var j = 0u; j < min(STEP, end - first); j++) {
      let other = row_start(batch, head, params.lk, first + j);
      var key: array<vec4f, FOURS>;
      var score = vec4f();
      var dp = vec4f();
      for (var f = 0u; f < fours; f++) {
        if STAGED {
          key[f] = tile_a[j * FOURS + f];
          dp = fma(own_dout[f], tile_b[j * FOURS + f], dp);
        } else {
          key[f] = k_four(other, f);
          dp = fma(own_dout[f], v_four(other, f), dp);
        }
        score = fma(own_q[f], key[f], score);
      }
      let p = exp(params.scale * dot(score, vec4f(1.0)) - own_lse);
      let ds = select(0.0, params.scale * p * (dot(dp, vec4f(1.0)) - own_dot), attended(batch, query, first + j));
      for (var f = 0u; f < fours; f++) { sums[f] = fma(vec4f(ds), key[f], sums[f]); }
    }
    if STAGED { workgroupBarrier(); }
  }
  if query >= params.lq { return; }
  for (var f = 0u; f < fours; f++) {
    for (var c = 0u; c < 4u; c++) {
      if 4u * f + c < HEAD_SIZE { first_gradient[start + 4u * f + c] = sums[f][c]; }
    }
  }
}

@compute @workgroup_size(ROWS)
fn keys(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let fours = four_count();
  let head = group.y;
  let batch = group.z;
  let key = group.x * ROWS + lane;
  let start = row_start(batch, head, params.lk, key);
  let rows = (batch * params.heads + head) * params.lq;
  var own_k: array<vec4f, FOURS>;
  var own_v: array<vec4f, FOURS>;
  var k_sums: array<vec4f, FOURS>;
  var v_sums: array<vec4f, FOURS>;
  for (var f = 0u; f < fours; f++) {
    own_k[f] = k_four(start, f);
    own_v[f] = v_four(start, f);
  }
  var begin = 0u;
  if CAUSAL { begin = group.x * ROWS / STEP * STEP; }
  for (var first = begin; first < params.lq; first += STEP) {
    if STAGED {
      for (var i = lane; i < STEP * FOURS; i += ROWS) {
        let other = row_start(batch, head, params.lq, first + i / FOURS);
        tile_a[i] = q_four(other, i % FOURS);
        tile_b[i] = dout_four(other, i % FOURS);
      }
      workgroupBarrier();
    }
    for (var j = 0u; j < min(STEP, params.lq - first); j++) {
      let query = first + j;
      let other = row_start(batch, head, params.lq, query);
      var q_row: array<vec4f, FOURS>;
      var dout_row: array<vec4f, FOURS>;
      var score = vec4f();
      var dp = vec4f();
      for (var f = 0u; f < fours; f++) {
        if STAGED {
          q_row[f] = tile_a[j * FOURS + f];
          dout_row[f] = tile_b[j * FOURS + f];
        } else {
          q_row[f] = q_four(other, f);
          dout_row[f] = dout_four(other, f);
        }
        score = fma(own_k[f], q_row[f], score);
        dp = fma(own_v[f], dout_row[f], dp);
      }
      let seen = attended(batch, query, key);
      let p = select(0.0, exp(params.scale * dot(score, vec4f(1.0)) - lse[rows + query]), seen);
      let ds = select(0.0, params.scale * p * (dot(dp, vec4f(1.0)) - dots[rows + query]), seen);
      for (var f = 0u; f < fours; f++) {
        k_sums[f] = fma(vec4f(ds), q_row[f], k_sums[f]);
        v_sums[f] = fma(vec4f(p), dout_row[f], v_sums[f]);
      }
    }
    if STAGED { workgroupBarrier(); }
  }
  if key >= params.lk { return; }
  for (var f = 0u; f < fours; f++) {
    for (var c = 0u; c < 4u; c++) {
      if 4u * f + c < HEAD_SIZE {
        first_gradient[start + 4u * f + c] = k_sums[f][c];
        second_gradient[start + 4u * f + c] = v_sums[f][c];
      }
    }
  }
}
