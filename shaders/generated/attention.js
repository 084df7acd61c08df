// Made by `node shaders/generate.ts` from shaders/attention; do not edit.

export const attention = /** @type {const} */ ({
  'attention-backward-subgroup': {
    code: /** @type {string} */ (`enable subgroups;















struct Params {
  heads: u32,
  lq: u32,
  lk: u32,
  scale: f32,
}

const HEAD_SIZE: u32 = 64u;
const CAUSAL: bool = false;
const HAS_KEY_MASK: bool = false;
const VECTOR: bool = false;
const FOURS: u32 = (HEAD_SIZE + 3u) / 4u;
const PANELS: u32 = (HEAD_SIZE + 31u) / 32u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> own_a: array<vec4f>;
@group(0) @binding(2) var<storage, read> own_b: array<vec4f>;
@group(0) @binding(3) var<storage, read> other_a: array<vec4f>;
@group(0) @binding(4) var<storage, read> other_b: array<vec4f>;
@group(0) @binding(5) var<storage, read> lse: array<f32>;
@group(0) @binding(6) var<storage, read> dots: array<f32>;
@group(0) @binding(7) var<storage, read> key_mask: array<u32>;
@group(0) @binding(8) var<storage, read_write> first_gradient: array<f32>;
@group(0) @binding(9) var<storage, read_write> second_gradient: array<f32>;


struct Rows {
  r00: vec4f, r01: vec4f, r02: vec4f, r03: vec4f, r04: vec4f, r05: vec4f, r06: vec4f, r07: vec4f,
  r08: vec4f, r09: vec4f, r10: vec4f, r11: vec4f, r12: vec4f, r13: vec4f, r14: vec4f, r15: vec4f,
}


struct Others {
  index: vec4u,
  seen: vec4<bool>,
  lse: vec4f,
  dots: vec4f,
}


alias Sums = array<vec4f, 16u * PANELS>;

struct Weights {
  p: vec4f,
  ds: vec4f,
}


fn row_start(group: vec3u, length: u32, token: u32) -> u32 {
  return ((group.z * length + min(token, length - 1u)) * params.heads + group.y) * HEAD_SIZE;
}


fn row_starts(group: vec3u, length: u32, token: u32) -> vec4u {
  return vec4u(
    row_start(group, length, token), row_start(group, length, token + 1u),
    row_start(group, length, token + 2u), row_start(group, length, token + 3u),
  );
}


fn within(d: u32, x: vec4f) -> vec4f {
  return select(vec4f(), x, vec4u(d, d + 1u, d + 2u, d + 3u) < vec4u(HEAD_SIZE));
}


fn own_four(b: bool, start: u32, d: u32) -> vec4f {
  let i = start + d;
  if VECTOR && b { return own_b[i >> 2u]; }
  if VECTOR { return own_a[i >> 2u]; }
  if b {
    return within(d, vec4f(own_b[i >> 2u][i & 3u], own_b[(i + 1u) >> 2u][(i + 1u) & 3u],
                           own_b[(i + 2u) >> 2u][(i + 2u) & 3u], own_b[(i + 3u) >> 2u][(i + 3u) & 3u]));
  }
  return within(d, vec4f(own_a[i >> 2u][i & 3u], own_a[(i + 1u) >> 2u][(i + 1u) & 3u],
                         own_a[(i + 2u) >> 2u][(i + 2u) & 3u], own_a[(i + 3u) >> 2u][(i + 3u) & 3u]));
}

fn other_four(b: bool, start: u32, d: u32) -> vec4f {
  let i = start + d;
  if VECTOR && b { return other_b[i >> 2u]; }
  if VECTOR { return other_a[i >> 2u]; }
  if b {
    return within(d, vec4f(other_b[i >> 2u][i & 3u], other_b[(i + 1u) >> 2u][(i + 1u) & 3u],
                           other_b[(i + 2u) >> 2u][(i + 2u) & 3u], other_b[(i + 3u) >> 2u][(i + 3u) & 3u]));
  }
  return within(d, vec4f(other_a[i >> 2u][i & 3u], other_a[(i + 1u) >> 2u][(i + 1u) & 3u],
                         other_a[(i + 2u) >> 2u][(i + 2u) & 3u], other_a[(i + 3u) >> 2u][(i + 3u) & 3u]));
}


fn other_block(b: bool, starts: vec4u, d: u32) -> mat4x4f {
  return mat4x4f(
    other_four(b, starts.x, d), other_four(b, starts.y, d), other_four(b, starts.z, d), other_four(b, starts.w, d),
  );
}


fn product(b: bool, own0: u32, own1: u32, starts: vec4u, fours: u32) -> Rows {
  var s = Rows();
  for (var f = 0u; f < fours; f++) {
    let block = transpose(other_block(b, starts, 4u * f));
    let low = own_four(b, own0, 4u * f);
    let high = own_four(b, own1, 4u * f);
    s.r00 += block * subgroupBroadcast(low, 0u);
    s.r01 += block * subgroupBroadcast(low, 1u);
    s.r02 += block * subgroupBroadcast(low, 2u);
    s.r03 += block * subgroupBroadcast(low, 3u);
    s.r04 += block * subgroupBroadcast(low, 4u);
    s.r05 += block * subgroupBroadcast(low, 5u);
    s.r06 += block * subgroupBroadcast(low, 6u);
    s.r07 += block * subgroupBroadcast(low, 7u);
    s.r08 += block * subgroupBroadcast(high, 0u);
    s.r09 += block * subgroupBroadcast(high, 1u);
    s.r10 += block * subgroupBroadcast(high, 2u);
    s.r11 += block * subgroupBroadcast(high, 3u);
    s.r12 += block * subgroupBroadcast(high, 4u);
    s.r13 += block * subgroupBroadcast(high, 5u);
    s.r14 += block * subgroupBroadcast(high, 6u);
    s.r15 += block * subgroupBroadcast(high, 7u);
  }
  return s;
}


fn see(of_keys: bool, group: vec3u, index: u32) -> Others {
  let length = select(params.lk, params.lq, of_keys);
  let i = vec4u(index, index + 1u, index + 2u, index + 3u);
  let safe = min(i, vec4u(length - 1u));
  var others = Others(i, i < vec4u(length), vec4f(), vec4f());
  if of_keys {
    let at = safe + (group.z * params.heads + group.y) * params.lq;
    others.lse = vec4f(lse[at.x], lse[at.y], lse[at.z], lse[at.w]);
    others.dots = vec4f(dots[at.x], dots[at.y], dots[at.z], dots[at.w]);
  } else if HAS_KEY_MASK {
    let at = safe + group.z * params.lk;
    others.seen = others.seen
      & (vec4u(key_mask[at.x], key_mask[at.y], key_mask[at.z], key_mask[at.w]) != vec4u());
  }
  return others;
}


fn about(of_keys: bool, group: vec3u, index: u32) -> vec2f {
  if of_keys {
    if HAS_KEY_MASK {
      return vec2f(select(0.0, 1.0, key_mask[group.z * params.lk + min(index, params.lk - 1u)] != 0u), 0.0);
    }
    return vec2f(1.0, 0.0);
  }
  let at = (group.z * params.heads + group.y) * params.lq + min(index, params.lq - 1u);
  return vec2f(lse[at], dots[at]);
}


fn weigh(of_keys: bool, others: Others, own: u32, known: vec2f, s: vec4f, dp: vec4f) -> Weights {
  var seen = others.seen;
  if of_keys && HAS_KEY_MASK { seen = seen & vec4<bool>(known.x != 0.0); }
  if of_keys && CAUSAL { seen = seen & (vec4u(own) <= others.index); }
  if !of_keys && CAUSAL { seen = seen & (others.index <= vec4u(own)); }
  let p = exp(params.scale * s - select(vec4f(known.x), others.lse, of_keys));
  let ds = params.scale * p * (dp - select(vec4f(known.y), others.dots, of_keys));
  return Weights(select(vec4f(), p, seen), select(vec4f(), ds, seen));
}


fn accumulate(b: bool, sums: ptr<function, Sums>, w: Rows, group: vec3u, length: u32, first: u32, lane: u32) {
  for (var panel = 0u; panel < PANELS; panel++) {

    let d = min(32u * panel + 4u * lane, 4u * FOURS - 4u);
    let at = 16u * panel;
    var y = Rows(
      (*sums)[at + 0u], (*sums)[at + 1u], (*sums)[at + 2u], (*sums)[at + 3u],
      (*sums)[at + 4u], (*sums)[at + 5u], (*sums)[at + 6u], (*sums)[at + 7u],
      (*sums)[at + 8u], (*sums)[at + 9u], (*sums)[at + 10u], (*sums)[at + 11u],
      (*sums)[at + 12u], (*sums)[at + 13u], (*sums)[at + 14u], (*sums)[at + 15u],
    );
    for (var source = 0u; source < 8u && first + 4u * source < length; source++) {
      let block = other_block(b, row_starts(group, length, first + 4u * source), d);
      y.r00 += block * subgroupShuffle(w.r00, source);
      y.r01 += block * subgroupShuffle(w.r01, source);
      y.r02 += block * subgroupShuffle(w.r02, source);
      y.r03 += block * subgroupShuffle(w.r03, source);
      y.r04 += block * subgroupShuffle(w.r04, source);
      y.r05 += block * subgroupShuffle(w.r05, source);
      y.r06 += block * subgroupShuffle(w.r06, source);
      y.r07 += block * subgroupShuffle(w.r07, source);
      y.r08 += block * subgroupShuffle(w.r08, source);
      y.r09 += block * subgroupShuffle(w.r09, source);
      y.r10 += block * subgroupShuffle(w.r10, source);
      y.r11 += block * subgroupShuffle(w.r11, source);
      y.r12 += block * subgroupShuffle(w.r12, source);
      y.r13 += block * subgroupShuffle(w.r13, source);
      y.r14 += block * subgroupShuffle(w.r14, source);
      y.r15 += block * subgroupShuffle(w.r15, source);
    }
    (*sums)[at + 0u] = y.r00;
    (*sums)[at + 1u] = y.r01;
    (*sums)[at + 2u] = y.r02;
    (*sums)[at + 3u] = y.r03;
    (*sums)[at + 4u] = y.r04;
    (*sums)[at + 5u] = y.r05;
    (*sums)[at + 6u] = y.r06;
    (*sums)[at + 7u] = y.r07;
    (*sums)[at + 8u] = y.r08;
    (*sums)[at + 9u] = y.r09;
    (*sums)[at + 10u] = y.r10;
    (*sums)[at + 11u] = y.r11;
    (*sums)[at + 12u] = y.r12;
    (*sums)[at + 13u] = y.r13;
    (*sums)[at + 14u] = y.r14;
    (*sums)[at + 15u] = y.r15;
  }
}


fn store(second: bool, sums: ptr<function, Sums>, group: vec3u, length: u32, rows: u32, lane: u32) {

  for (var r = 0u; r < rows; r++) {
    let at = row_start(group, length, group.x * 16u + r);
    for (var panel = 0u; panel < PANELS; panel++) {
      let x = (*sums)[16u * panel + r];
      let d = 32u * panel + 4u * lane;
      for (var c = 0u; c < min(4u, max(d, HEAD_SIZE) - d); c++) {
        if second { second_gradient[at + d + c] = x[c]; } else { first_gradient[at + d + c] = x[c]; }
      }
    }
  }
}

fn gradients(of_keys: bool, group: vec3u, lane: u32) {
  let own_length = select(params.lq, params.lk, of_keys);
  let other_length = select(params.lk, params.lq, of_keys);
  let own = group.x * 16u;
  let own0 = row_start(group, own_length, own + lane);
  let own1 = row_start(group, own_length, own + 8u + lane);
  let low = about(of_keys, group, own + lane);
  let high = about(of_keys, group, own + 8u + lane);
  let fours = select(FOURS, 0u, params.heads == 0u);
  var first_sums: Sums;
  var second_sums: Sums;

  var begin = 0u;
  var end = other_length;
  if CAUSAL && of_keys { begin = own / 32u * 32u; }
  if CAUSAL && !of_keys { end = min(end, own + 16u); }
  for (var first = begin; first < end; first += 32u) {
    let starts = row_starts(group, other_length, first + 4u * lane);
    let s = product(false, own0, own1, starts, fours);
    let dp = product(true, own0, own1, starts, fours);
    let others = see(of_keys, group, first + 4u * lane);
    var p: Rows;
    var ds: Rows;
    var w: Weights;
    w = weigh(of_keys, others, own + 0u, subgroupBroadcast(low, 0u), s.r00, dp.r00);
    p.r00 = w.p;
    ds.r00 = w.ds;
    w = weigh(of_keys, others, own + 1u, subgroupBroadcast(low, 1u), s.r01, dp.r01);
    p.r01 = w.p;
    ds.r01 = w.ds;
    w = weigh(of_keys, others, own + 2u, subgroupBroadcast(low, 2u), s.r02, dp.r02);
    p.r02 = w.p;
    ds.r02 = w.ds;
    w = weigh(of_keys, others, own + 3u, subgroupBroadcast(low, 3u), s.r03, dp.r03);
    p.r03 = w.p;
    ds.r03 = w.ds;
    w = weigh(of_keys, others, own + 4u, subgroupBroadcast(low, 4u), s.r04, dp.r04);
    p.r04 = w.p;
    ds.r04 = w.ds;
    w = weigh(of_keys, others, own + 5u, subgroupBroadcast(low, 5u), s.r05, dp.r05);
    p.r05 = w.p;
    ds.r05 = w.ds;
    w = weigh(of_keys, others, own + 6u, subgroupBroadcast(low, 6u), s.r06, dp.r06);
    p.r06 = w.p;
    ds.r06 = w.ds;
    w = weigh(of_keys, others, own + 7u, subgroupBroadcast(low, 7u), s.r07, dp.r07);
    p.r07 = w.p;
    ds.r07 = w.ds;
    w = weigh(of_keys, others, own + 8u, subgroupBroadcast(high, 0u), s.r08, dp.r08);
    p.r08 = w.p;
    ds.r08 = w.ds;
    w = weigh(of_keys, others, own + 9u, subgroupBroadcast(high, 1u), s.r09, dp.r09);
    p.r09 = w.p;
    ds.r09 = w.ds;
    w = weigh(of_keys, others, own + 10u, subgroupBroadcast(high, 2u), s.r10, dp.r10);
    p.r10 = w.p;
    ds.r10 = w.ds;
    w = weigh(of_keys, others, own + 11u, subgroupBroadcast(high, 3u), s.r11, dp.r11);
    p.r11 = w.p;
    ds.r11 = w.ds;
    w = weigh(of_keys, others, own + 12u, subgroupBroadcast(high, 4u), s.r12, dp.r12);
    p.r12 = w.p;
    ds.r12 = w.ds;
    w = weigh(of_keys, others, own + 13u, subgroupBroadcast(high, 5u), s.r13, dp.r13);
    p.r13 = w.p;
    ds.r13 = w.ds;
    w = weigh(of_keys, others, own + 14u, subgroupBroadcast(high, 6u), s.r14, dp.r14);
    p.r14 = w.p;
    ds.r14 = w.ds;
    w = weigh(of_keys, others, own + 15u, subgroupBroadcast(high, 7u), s.r15, dp.r15);
    p.r15 = w.p;
    ds.r15 = w.ds;
    accumulate(false, &first_sums, ds, group, other_length, first, lane);
    if of_keys { accumulate(true, &second_sums, p, group, other_length, first, lane); }
  }

  let rows = min(16u, own_length - own);
  store(false, &first_sums, group, own_length, rows, lane);
  if of_keys { store(true, &second_sums, group, own_length, rows, lane); }
}

@compute @workgroup_size(8)
fn queries(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  gradients(false, group, lane);
}

@compute @workgroup_size(8)
fn keys(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  gradients(true, group, lane);
}
`),
    entries: {"queries":["own_a","own_b","other_a","other_b","lse","dots","key_mask","first_gradient","second_gradient"],"keys":["own_a","own_b","other_a","other_b","lse","dots","key_mask","first_gradient","second_gradient"]},
    buffers: {"own_a":{"binding":1,"access":"read"},"own_b":{"binding":2,"access":"read"},"other_a":{"binding":3,"access":"read"},"other_b":{"binding":4,"access":"read"},"lse":{"binding":5,"access":"read"},"dots":{"binding":6,"access":"read"},"key_mask":{"binding":7,"access":"read"},"first_gradient":{"binding":8,"access":"read_write"},"second_gradient":{"binding":9,"access":"read_write"}},
    params: {"heads":"u32","lq":"u32","lk":"u32","scale":"f32"},
    constants: {"HEAD_SIZE":"u32","CAUSAL":"bool","HAS_KEY_MASK":"bool","VECTOR":"bool"},
  },
  'attention-backward': {
    code: /** @type {string} */ (`












struct Params {
  heads: u32,
  lq: u32,
  lk: u32,
  scale: f32,
}

const HEAD_SIZE: u32 = 64u;
const CAUSAL: bool = false;
const HAS_KEY_MASK: bool = false;
const VECTOR: bool = false;
const STAGED: bool = true;
const ROWS: u32 = 64u;
const STEP: u32 = 16u;
const FOURS: u32 = (HEAD_SIZE + 3u) / 4u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> dout: array<vec4f>;
@group(0) @binding(5) var<storage, read> lse: array<f32>;
@group(0) @binding(6) var<storage, read> dots: array<f32>;
@group(0) @binding(7) var<storage, read> key_mask: array<u32>;
@group(0) @binding(8) var<storage, read_write> first_gradient: array<f32>;
@group(0) @binding(9) var<storage, read_write> second_gradient: array<f32>;

var<workgroup> tile_a: array<vec4f, STEP * FOURS>;
var<workgroup> tile_b: array<vec4f, STEP * FOURS>;

fn attended(batch: u32, query: u32, key: u32) -> bool {
  var yes = key < params.lk && query < params.lq;
  if CAUSAL { yes = yes && key <= query; }
  if HAS_KEY_MASK { yes = yes && key_mask[batch * params.lk + min(key, params.lk - 1u)] != 0u; }
  return yes;
}





fn four_count() -> u32 {
  return select(FOURS, 0u, !STAGED && params.heads == 0u);
}


fn row_start(batch: u32, head: u32, length: u32, token: u32) -> u32 {
  return ((batch * length + min(token, length - 1u)) * params.heads + head) * HEAD_SIZE;
}


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
`),
    entries: {"row_dots":["q","dout","first_gradient"],"queries":["q","k","v","dout","lse","dots","key_mask","first_gradient"],"keys":["q","k","v","dout","lse","dots","key_mask","first_gradient","second_gradient"]},
    buffers: {"q":{"binding":1,"access":"read"},"k":{"binding":2,"access":"read"},"v":{"binding":3,"access":"read"},"dout":{"binding":4,"access":"read"},"lse":{"binding":5,"access":"read"},"dots":{"binding":6,"access":"read"},"key_mask":{"binding":7,"access":"read"},"first_gradient":{"binding":8,"access":"read_write"},"second_gradient":{"binding":9,"access":"read_write"}},
    params: {"heads":"u32","lq":"u32","lk":"u32","scale":"f32"},
    constants: {"HEAD_SIZE":"u32","CAUSAL":"bool","HAS_KEY_MASK":"bool","VECTOR":"bool","STAGED":"bool","ROWS":"u32","STEP":"u32"},
  },
  'attention-register': {
    code: /** @type {string} */ (`















var<workgroup> q_tile: array<vec4f, FOURS * 16u>;
var<workgroup> p_tile: array<vec4f, 8u * 16u>;
var<workgroup> old_tile: array<f32, 16>;
var<workgroup> inverse_tile: array<f32, 16>;





fn softmax_step(batch: u32, query: u32, first: u32, r: u32, top: f32, total: f32) -> vec2f {
  var largest = vec4f(top);
  for (var i = 0u; i < 8u; i++) {
    let scores = masked(batch, query, first + 4u * i, p_tile[i * 16u + r]);
    p_tile[i * 16u + r] = scores;
    largest = max(largest, scores);
  }
  let new_top = max(max(largest.x, largest.y), max(largest.z, largest.w));
  let old = exp(top - new_top);
  var sum = vec4f();
  for (var i = 0u; i < 8u; i++) {
    let weight = weights(p_tile[i * 16u + r], new_top);
    p_tile[i * 16u + r] = weight;
    sum += weight;
  }
  old_tile[r] = old;
  return vec2f(new_top, total * old + dot(sum, vec4f(1.0)));
}

@compute @workgroup_size(8)
fn attention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let batch = group.z;
  let column = head * HEAD_SIZE;
  let query0 = group.x * 16u;
  let last = params.lq - 1u;
  let q_base = params.q_offset + column;
  let k_base = params.k_offset + column + batch * params.lk * params.k_stride;
  let v_base = params.v_offset + column + batch * params.lk * params.v_stride;

  for (var i = lane; i < FOURS * 16u; i += 8u) {
    let row = batch * params.lq + min(query0 + i % 16u, last);
    q_tile[i] = q_four(q_base + row * params.q_stride, 4u * (i / 16u)) * params.scale;
  }
  workgroupBarrier();


  let fours = select(FOURS, 0u, params.lk == 0u);
  var sums: array<vec4f, 16u * PANELS>;

  var low = vec2f(LOWEST, 0.0);
  var high = low;

  for (var first = 0u; first < params.lk; first += 32u) {
    let key = first + 4u * lane;
    var s00 = vec4f(); var s01 = vec4f(); var s02 = vec4f(); var s03 = vec4f();
    var s04 = vec4f(); var s05 = vec4f(); var s06 = vec4f(); var s07 = vec4f();
    var s08 = vec4f(); var s09 = vec4f(); var s10 = vec4f(); var s11 = vec4f();
    var s12 = vec4f(); var s13 = vec4f(); var s14 = vec4f(); var s15 = vec4f();
    for (var f = 0u; f < fours; f++) {
      let block = k_block(k_base, key, 4u * f);
      let row = f * 16u;
      s00 += block * q_tile[row + 0u];
      s01 += block * q_tile[row + 1u];
      s02 += block * q_tile[row + 2u];
      s03 += block * q_tile[row + 3u];
      s04 += block * q_tile[row + 4u];
      s05 += block * q_tile[row + 5u];
      s06 += block * q_tile[row + 6u];
      s07 += block * q_tile[row + 7u];
      s08 += block * q_tile[row + 8u];
      s09 += block * q_tile[row + 9u];
      s10 += block * q_tile[row + 10u];
      s11 += block * q_tile[row + 11u];
      s12 += block * q_tile[row + 12u];
      s13 += block * q_tile[row + 13u];
      s14 += block * q_tile[row + 14u];
      s15 += block * q_tile[row + 15u];
    }
    let mine = lane * 16u;
    p_tile[mine + 0u] = s00;
    p_tile[mine + 1u] = s01;
    p_tile[mine + 2u] = s02;
    p_tile[mine + 3u] = s03;
    p_tile[mine + 4u] = s04;
    p_tile[mine + 5u] = s05;
    p_tile[mine + 6u] = s06;
    p_tile[mine + 7u] = s07;
    p_tile[mine + 8u] = s08;
    p_tile[mine + 9u] = s09;
    p_tile[mine + 10u] = s10;
    p_tile[mine + 11u] = s11;
    p_tile[mine + 12u] = s12;
    p_tile[mine + 13u] = s13;
    p_tile[mine + 14u] = s14;
    p_tile[mine + 15u] = s15;
    workgroupBarrier();
    low = softmax_step(batch, query0 + lane, first, lane, low.x, low.y);
    high = softmax_step(batch, query0 + 8u + lane, first, lane + 8u, high.x, high.y);
    workgroupBarrier();

    for (var panel = 0u; panel < PANELS; panel++) {
      let d = min(32u * panel + 4u * lane, 4u * FOURS - 4u);
      let row = panel * 16u;
      var o00 = sums[row + 0u] * old_tile[0];
      var o01 = sums[row + 1u] * old_tile[1];
      var o02 = sums[row + 2u] * old_tile[2];
      var o03 = sums[row + 3u] * old_tile[3];
      var o04 = sums[row + 4u] * old_tile[4];
      var o05 = sums[row + 5u] * old_tile[5];
      var o06 = sums[row + 6u] * old_tile[6];
      var o07 = sums[row + 7u] * old_tile[7];
      var o08 = sums[row + 8u] * old_tile[8];
      var o09 = sums[row + 9u] * old_tile[9];
      var o10 = sums[row + 10u] * old_tile[10];
      var o11 = sums[row + 11u] * old_tile[11];
      var o12 = sums[row + 12u] * old_tile[12];
      var o13 = sums[row + 13u] * old_tile[13];
      var o14 = sums[row + 14u] * old_tile[14];
      var o15 = sums[row + 15u] * old_tile[15];
      for (var source = 0u; source < 8u && first + 4u * source < params.lk; source++) {
        let block = v_block(v_base, first + 4u * source, d);
        let weight = source * 16u;
        o00 += block * p_tile[weight + 0u];
        o01 += block * p_tile[weight + 1u];
        o02 += block * p_tile[weight + 2u];
        o03 += block * p_tile[weight + 3u];
        o04 += block * p_tile[weight + 4u];
        o05 += block * p_tile[weight + 5u];
        o06 += block * p_tile[weight + 6u];
        o07 += block * p_tile[weight + 7u];
        o08 += block * p_tile[weight + 8u];
        o09 += block * p_tile[weight + 9u];
        o10 += block * p_tile[weight + 10u];
        o11 += block * p_tile[weight + 11u];
        o12 += block * p_tile[weight + 12u];
        o13 += block * p_tile[weight + 13u];
        o14 += block * p_tile[weight + 14u];
        o15 += block * p_tile[weight + 15u];
      }
      sums[row + 0u] = o00;
      sums[row + 1u] = o01;
      sums[row + 2u] = o02;
      sums[row + 3u] = o03;
      sums[row + 4u] = o04;
      sums[row + 5u] = o05;
      sums[row + 6u] = o06;
      sums[row + 7u] = o07;
      sums[row + 8u] = o08;
      sums[row + 9u] = o09;
      sums[row + 10u] = o10;
      sums[row + 11u] = o11;
      sums[row + 12u] = o12;
      sums[row + 13u] = o13;
      sums[row + 14u] = o14;
      sums[row + 15u] = o15;
    }
    workgroupBarrier();
  }

  inverse_tile[lane] = select(0.0, 1.0 / low.y, low.y != 0.0);
  inverse_tile[lane + 8u] = select(0.0, 1.0 / high.y, high.y != 0.0);
  workgroupBarrier();
  for (var r = 0u; r < 16u; r++) {
    if (query0 + r < params.lq) {
      let row = (batch * params.lq + query0 + r) * params.o_stride + column;
      for (var panel = 0u; panel < PANELS; panel++) {
        let d = 32u * panel + 4u * lane;
        if (d < HEAD_SIZE) {
          store(row, d, sums[panel * 16u + r] * inverse_tile[r]);
        }
      }
    }
  }
  let lse_row = (batch * params.heads + head) * params.lq + query0 + lane;
  if (query0 + lane < params.lq) {
    lse[lse_row] = select(NO_KEYS, low.x + log(low.y), low.y != 0.0);
  }
  if (query0 + 8u + lane < params.lq) {
    lse[lse_row + 8u] = select(NO_KEYS, high.x + log(high.y), high.y != 0.0);
  }
}






const VECTOR: bool = false;
const FOURS: u32 = (HEAD_SIZE + 3u) / 4u;
const PANELS: u32 = (HEAD_SIZE + 31u) / 32u;

@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;

fn keep(d: u32, x: f32) -> f32 {
  return select(0.0, x, d < HEAD_SIZE);
}


fn q_four(i: u32, d: u32) -> vec4f {
  if (VECTOR) {
    return q[(i + d) >> 2u];
  }
  let e = i + d;
  return vec4f(
    keep(d, q[e >> 2u][e & 3u]),
    keep(d + 1u, q[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, q[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, q[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}

fn k_four(i: u32, d: u32) -> vec4f {
  if (VECTOR) {
    return k[(i + d) >> 2u];
  }
  let e = i + d;
  return vec4f(
    keep(d, k[e >> 2u][e & 3u]),
    keep(d + 1u, k[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, k[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, k[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}

fn v_four(i: u32, d: u32) -> vec4f {
  if (VECTOR) {
    return v[(i + d) >> 2u];
  }
  let e = i + d;
  return vec4f(
    keep(d, v[e >> 2u][e & 3u]),
    keep(d + 1u, v[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, v[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, v[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}

fn store(row: u32, d: u32, x: vec4f) {
  out[row + d] = x.x;
  if (d + 1u < HEAD_SIZE) {
    out[row + d + 1u] = x.y;
  }
  if (d + 2u < HEAD_SIZE) {
    out[row + d + 2u] = x.z;
  }
  if (d + 3u < HEAD_SIZE) {
    out[row + d + 3u] = x.w;
  }
}


fn k_block(base: u32, key: u32, d: u32) -> mat4x4f {
  let last = params.lk - 1u;
  return transpose(mat4x4f(
    k_four(base + min(key, last) * params.k_stride, d),
    k_four(base + min(key + 1u, last) * params.k_stride, d),
    k_four(base + min(key + 2u, last) * params.k_stride, d),
    k_four(base + min(key + 3u, last) * params.k_stride, d),
  ));
}





fn v_block(base: u32, key: u32, d: u32) -> mat4x4f {
  let n = params.lk;
  let last = n - 1u;
  let none = vec4f();
  return mat4x4f(
    select(none, v_four(base + min(key, last) * params.v_stride, d), key < n),
    select(none, v_four(base + min(key + 1u, last) * params.v_stride, d), key + 1u < n),
    select(none, v_four(base + min(key + 2u, last) * params.v_stride, d), key + 2u < n),
    select(none, v_four(base + min(key + 3u, last) * params.v_stride, d), key + 3u < n),
  );
}


fn masked(batch: u32, query: u32, key: u32, scores: vec4f) -> vec4f {
  return vec4f(
    select(LOWEST, scores.x, attended(batch, query, key)),
    select(LOWEST, scores.y, attended(batch, query, key + 1u)),
    select(LOWEST, scores.z, attended(batch, query, key + 2u)),
    select(LOWEST, scores.w, attended(batch, query, key + 3u)),
  );
}


fn weights(scores: vec4f, top: f32) -> vec4f {
  return select(exp(scores - top), vec4f(), scores == vec4f(LOWEST));
}





struct Params {
  heads: u32,
  lq: u32,
  lk: u32,
  q_stride: u32,
  k_stride: u32,
  v_stride: u32,
  o_stride: u32,
  q_offset: u32,
  k_offset: u32,
  v_offset: u32,
  scale: f32,
}

const HEAD_SIZE: u32 = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<storage, read> key_mask: array<u32>;


const LOWEST: f32 = -3e38;
const NO_KEYS: f32 = 3e38;



const CAUSAL: bool = false;
const HAS_KEY_MASK: bool = false;

fn attended(batch: u32, query: u32, key: u32) -> bool {
  var yes = key < params.lk;
  if (CAUSAL) {
    yes = yes && key <= query;
  }
  if (HAS_KEY_MASK) {
    yes = yes && key_mask[batch * params.lk + min(key, params.lk - 1u)] != 0u;
  }
  return yes;
}
`),
    entries: {"attention":["q","k","v","out","lse","key_mask"]},
    buffers: {"q":{"binding":1,"access":"read"},"k":{"binding":2,"access":"read"},"v":{"binding":3,"access":"read"},"out":{"binding":4,"access":"read_write"},"lse":{"binding":5,"access":"read_write"},"key_mask":{"binding":6,"access":"read"}},
    params: {"heads":"u32","lq":"u32","lk":"u32","q_stride":"u32","k_stride":"u32","v_stride":"u32","o_stride":"u32","q_offset":"u32","k_offset":"u32","v_offset":"u32","scale":"f32"},
    constants: {"VECTOR":"bool","HEAD_SIZE":"u32","LOWEST":"f32","NO_KEYS":"f32","CAUSAL":"bool","HAS_KEY_MASK":"bool"},
  },
  'attention-subgroup': {
    code: /** @type {string} */ (`enable subgroups;

















@compute @workgroup_size(8)
fn attention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let batch = group.z;
  let column = head * HEAD_SIZE;
  let query0 = group.x * 16u;
  let last = params.lq - 1u;

  let q_base = params.q_offset + column;
  let q_row0 = q_base + (batch * params.lq + min(query0 + lane, last)) * params.q_stride;
  let q_row1 = q_base + (batch * params.lq + min(query0 + 8u + lane, last)) * params.q_stride;
  let k_base = params.k_offset + column + batch * params.lk * params.k_stride;
  let v_base = params.v_offset + column + batch * params.lk * params.v_stride;

  var sums: array<vec4f, 16u * PANELS>;
  var top: array<f32, 16>;
  var total: array<f32, 16>;
  for (var r = 0u; r < 16u; r++) {
    top[r] = LOWEST;
  }

  for (var first = 0u; first < params.lk; first += 32u) {
    let key = first + 4u * lane;
    var s00 = vec4f(); var s01 = vec4f(); var s02 = vec4f(); var s03 = vec4f();
    var s04 = vec4f(); var s05 = vec4f(); var s06 = vec4f(); var s07 = vec4f();
    var s08 = vec4f(); var s09 = vec4f(); var s10 = vec4f(); var s11 = vec4f();
    var s12 = vec4f(); var s13 = vec4f(); var s14 = vec4f(); var s15 = vec4f();
    for (var d = 0u; d < HEAD_SIZE; d += 4u) {
      let block = k_block(k_base, key, d);
      let low = q_four(q_row0, d) * params.scale;
      let high = q_four(q_row1, d) * params.scale;
      s00 += block * subgroupBroadcast(low, 0u);
      s01 += block * subgroupBroadcast(low, 1u);
      s02 += block * subgroupBroadcast(low, 2u);
      s03 += block * subgroupBroadcast(low, 3u);
      s04 += block * subgroupBroadcast(low, 4u);
      s05 += block * subgroupBroadcast(low, 5u);
      s06 += block * subgroupBroadcast(low, 6u);
      s07 += block * subgroupBroadcast(low, 7u);
      s08 += block * subgroupBroadcast(high, 0u);
      s09 += block * subgroupBroadcast(high, 1u);
      s10 += block * subgroupBroadcast(high, 2u);
      s11 += block * subgroupBroadcast(high, 3u);
      s12 += block * subgroupBroadcast(high, 4u);
      s13 += block * subgroupBroadcast(high, 5u);
      s14 += block * subgroupBroadcast(high, 6u);
      s15 += block * subgroupBroadcast(high, 7u);
    }

    var p = array<vec4f, 16>(
      s00, s01, s02, s03, s04, s05, s06, s07,
      s08, s09, s10, s11, s12, s13, s14, s15,
    );
    for (var r = 0u; r < 16u; r++) {
      let scores = masked(batch, query0 + r, key, p[r]);
      let largest = max(max(scores.x, scores.y), max(scores.z, scores.w));
      let new_top = max(top[r], subgroupMax(largest));
      let weight = weights(scores, new_top);
      let old = exp(top[r] - new_top);
      p[r] = weight;
      top[r] = new_top;
      total[r] = total[r] * old + subgroupAdd(dot(weight, vec4f(1.0)));
      for (var panel = 0u; panel < PANELS; panel++) {
        sums[panel * 16u + r] *= old;
      }
    }

    for (var panel = 0u; panel < PANELS; panel++) {
      let d = min(32u * panel + 4u * lane, 4u * FOURS - 4u);
      var o00 = sums[panel * 16u + 0u]; var o01 = sums[panel * 16u + 1u];
      var o02 = sums[panel * 16u + 2u]; var o03 = sums[panel * 16u + 3u];
      var o04 = sums[panel * 16u + 4u]; var o05 = sums[panel * 16u + 5u];
      var o06 = sums[panel * 16u + 6u]; var o07 = sums[panel * 16u + 7u];
      var o08 = sums[panel * 16u + 8u]; var o09 = sums[panel * 16u + 9u];
      var o10 = sums[panel * 16u + 10u]; var o11 = sums[panel * 16u + 11u];
      var o12 = sums[panel * 16u + 12u]; var o13 = sums[panel * 16u + 13u];
      var o14 = sums[panel * 16u + 14u]; var o15 = sums[panel * 16u + 15u];
      let p00 = p[0]; let p01 = p[1]; let p02 = p[2]; let p03 = p[3];
      let p04 = p[4]; let p05 = p[5]; let p06 = p[6]; let p07 = p[7];
      let p08 = p[8]; let p09 = p[9]; let p10 = p[10]; let p11 = p[11];
      let p12 = p[12]; let p13 = p[13]; let p14 = p[14]; let p15 = p[15];
      for (var source = 0u; source < 8u && first + 4u * source < params.lk; source++) {
        let block = v_block(v_base, first + 4u * source, d);
        o00 += block * subgroupShuffle(p00, source);
        o01 += block * subgroupShuffle(p01, source);
        o02 += block * subgroupShuffle(p02, source);
        o03 += block * subgroupShuffle(p03, source);
        o04 += block * subgroupShuffle(p04, source);
        o05 += block * subgroupShuffle(p05, source);
        o06 += block * subgroupShuffle(p06, source);
        o07 += block * subgroupShuffle(p07, source);
        o08 += block * subgroupShuffle(p08, source);
        o09 += block * subgroupShuffle(p09, source);
        o10 += block * subgroupShuffle(p10, source);
        o11 += block * subgroupShuffle(p11, source);
        o12 += block * subgroupShuffle(p12, source);
        o13 += block * subgroupShuffle(p13, source);
        o14 += block * subgroupShuffle(p14, source);
        o15 += block * subgroupShuffle(p15, source);
      }
      sums[panel * 16u + 0u] = o00; sums[panel * 16u + 1u] = o01;
      sums[panel * 16u + 2u] = o02; sums[panel * 16u + 3u] = o03;
      sums[panel * 16u + 4u] = o04; sums[panel * 16u + 5u] = o05;
      sums[panel * 16u + 6u] = o06; sums[panel * 16u + 7u] = o07;
      sums[panel * 16u + 8u] = o08; sums[panel * 16u + 9u] = o09;
      sums[panel * 16u + 10u] = o10; sums[panel * 16u + 11u] = o11;
      sums[panel * 16u + 12u] = o12; sums[panel * 16u + 13u] = o13;
      sums[panel * 16u + 14u] = o14; sums[panel * 16u + 15u] = o15;
    }
  }

  for (var r = 0u; r < 16u; r++) {
    let query = query0 + r;
    if (query >= params.lq) {
      continue;
    }
    let any = total[r] != 0.0;
    let inverse = select(0.0, 1.0 / total[r], any);
    let row = (batch * params.lq + query) * params.o_stride + column;
    for (var panel = 0u; panel < PANELS; panel++) {
      let d = 32u * panel + 4u * lane;
      if (d < HEAD_SIZE) {
        store(row, d, sums[panel * 16u + r] * inverse);
      }
    }
    if (lane == 0u) {
      lse[(batch * params.heads + head) * params.lq + query] = select(NO_KEYS, top[r] + log(total[r]), any);
    }
  }
}






const VECTOR: bool = false;
const FOURS: u32 = (HEAD_SIZE + 3u) / 4u;
const PANELS: u32 = (HEAD_SIZE + 31u) / 32u;

@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;

fn keep(d: u32, x: f32) -> f32 {
  return select(0.0, x, d < HEAD_SIZE);
}


fn q_four(i: u32, d: u32) -> vec4f {
  if (VECTOR) {
    return q[(i + d) >> 2u];
  }
  let e = i + d;
  return vec4f(
    keep(d, q[e >> 2u][e & 3u]),
    keep(d + 1u, q[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, q[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, q[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}

fn k_four(i: u32, d: u32) -> vec4f {
  if (VECTOR) {
    return k[(i + d) >> 2u];
  }
  let e = i + d;
  return vec4f(
    keep(d, k[e >> 2u][e & 3u]),
    keep(d + 1u, k[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, k[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, k[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}

fn v_four(i: u32, d: u32) -> vec4f {
  if (VECTOR) {
    return v[(i + d) >> 2u];
  }
  let e = i + d;
  return vec4f(
    keep(d, v[e >> 2u][e & 3u]),
    keep(d + 1u, v[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, v[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, v[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}

fn store(row: u32, d: u32, x: vec4f) {
  out[row + d] = x.x;
  if (d + 1u < HEAD_SIZE) {
    out[row + d + 1u] = x.y;
  }
  if (d + 2u < HEAD_SIZE) {
    out[row + d + 2u] = x.z;
  }
  if (d + 3u < HEAD_SIZE) {
    out[row + d + 3u] = x.w;
  }
}


fn k_block(base: u32, key: u32, d: u32) -> mat4x4f {
  let last = params.lk - 1u;
  return transpose(mat4x4f(
    k_four(base + min(key, last) * params.k_stride, d),
    k_four(base + min(key + 1u, last) * params.k_stride, d),
    k_four(base + min(key + 2u, last) * params.k_stride, d),
    k_four(base + min(key + 3u, last) * params.k_stride, d),
  ));
}





fn v_block(base: u32, key: u32, d: u32) -> mat4x4f {
  let n = params.lk;
  let last = n - 1u;
  let none = vec4f();
  return mat4x4f(
    select(none, v_four(base + min(key, last) * params.v_stride, d), key < n),
    select(none, v_four(base + min(key + 1u, last) * params.v_stride, d), key + 1u < n),
    select(none, v_four(base + min(key + 2u, last) * params.v_stride, d), key + 2u < n),
    select(none, v_four(base + min(key + 3u, last) * params.v_stride, d), key + 3u < n),
  );
}


fn masked(batch: u32, query: u32, key: u32, scores: vec4f) -> vec4f {
  return vec4f(
    select(LOWEST, scores.x, attended(batch, query, key)),
    select(LOWEST, scores.y, attended(batch, query, key + 1u)),
    select(LOWEST, scores.z, attended(batch, query, key + 2u)),
    select(LOWEST, scores.w, attended(batch, query, key + 3u)),
  );
}


fn weights(scores: vec4f, top: f32) -> vec4f {
  return select(exp(scores - top), vec4f(), scores == vec4f(LOWEST));
}





struct Params {
  heads: u32,
  lq: u32,
  lk: u32,
  q_stride: u32,
  k_stride: u32,
  v_stride: u32,
  o_stride: u32,
  q_offset: u32,
  k_offset: u32,
  v_offset: u32,
  scale: f32,
}

const HEAD_SIZE: u32 = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<storage, read> key_mask: array<u32>;


const LOWEST: f32 = -3e38;
const NO_KEYS: f32 = 3e38;



const CAUSAL: bool = false;
const HAS_KEY_MASK: bool = false;

fn attended(batch: u32, query: u32, key: u32) -> bool {
  var yes = key < params.lk;
  if (CAUSAL) {
    yes = yes && key <= query;
  }
  if (HAS_KEY_MASK) {
    yes = yes && key_mask[batch * params.lk + min(key, params.lk - 1u)] != 0u;
  }
  return yes;
}
`),
    entries: {"attention":["q","k","v","out","lse","key_mask"]},
    buffers: {"q":{"binding":1,"access":"read"},"k":{"binding":2,"access":"read"},"v":{"binding":3,"access":"read"},"out":{"binding":4,"access":"read_write"},"lse":{"binding":5,"access":"read_write"},"key_mask":{"binding":6,"access":"read"}},
    params: {"heads":"u32","lq":"u32","lk":"u32","q_stride":"u32","k_stride":"u32","v_stride":"u32","o_stride":"u32","q_offset":"u32","k_offset":"u32","v_offset":"u32","scale":"f32"},
    constants: {"VECTOR":"bool","HEAD_SIZE":"u32","LOWEST":"f32","NO_KEYS":"f32","CAUSAL":"bool","HAS_KEY_MASK":"bool"},
  },
  'attention-tiled': {
    code: /** @type {string} */ (`














const QUERIES: u32 = 64u;
const KEYS: u32 = 16u;

@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;

var<workgroup> k_tile: array<f32, KEYS * HEAD_SIZE>;
var<workgroup> v_tile: array<f32, KEYS * HEAD_SIZE>;

@compute @workgroup_size(QUERIES)
fn attention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let head = group.y;
  let batch = group.z;
  let query = group.x * QUERIES + thread;
  let column = head * HEAD_SIZE;

  var q_row: array<f32, HEAD_SIZE>;
  var sums: array<f32, HEAD_SIZE>;
  let q_first = params.q_offset + (batch * params.lq + min(query, params.lq - 1u)) * params.q_stride + column;
  for (var d = 0u; d < HEAD_SIZE; d++) {
    q_row[d] = q[q_first + d] * params.scale;
    sums[d] = 0.0;
  }
  var top = LOWEST;
  var total = 0.0;

  for (var first = 0u; first < params.lk; first += KEYS) {
    for (var i = thread; i < KEYS * HEAD_SIZE; i += QUERIES) {
      let key = first + i / HEAD_SIZE;
      var k_here = 0.0;
      var v_here = 0.0;
      if (key < params.lk) {
        let token = batch * params.lk + key;
        k_here = k[params.k_offset + token * params.k_stride + column + i % HEAD_SIZE];
        v_here = v[params.v_offset + token * params.v_stride + column + i % HEAD_SIZE];
      }
      k_tile[i] = k_here;
      v_tile[i] = v_here;
    }
    workgroupBarrier();

    for (var j = 0u; j < KEYS; j++) {
      if (!attended(batch, query, first + j)) {
        continue;
      }
      var score = 0.0;
      for (var d = 0u; d < HEAD_SIZE; d++) {
        score += q_row[d] * k_tile[j * HEAD_SIZE + d];
      }
      let new_top = max(top, score);
      let old = exp(top - new_top);
      let weight = exp(score - new_top);
      top = new_top;
      total = total * old + weight;
      for (var d = 0u; d < HEAD_SIZE; d++) {
        sums[d] = sums[d] * old + weight * v_tile[j * HEAD_SIZE + d];
      }
    }
    workgroupBarrier();
  }

  if (query >= params.lq) {
    return;
  }
  let any = total != 0.0;
  let inverse = select(0.0, 1.0 / total, any);
  let o_first = (batch * params.lq + query) * params.o_stride + column;
  for (var d = 0u; d < HEAD_SIZE; d++) {
    out[o_first + d] = sums[d] * inverse;
  }
  lse[(batch * params.heads + head) * params.lq + query] = select(NO_KEYS, top + log(total), any);
}





struct Params {
  heads: u32,
  lq: u32,
  lk: u32,
  q_stride: u32,
  k_stride: u32,
  v_stride: u32,
  o_stride: u32,
  q_offset: u32,
  k_offset: u32,
  v_offset: u32,
  scale: f32,
}

const HEAD_SIZE: u32 = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<storage, read> key_mask: array<u32>;


const LOWEST: f32 = -3e38;
const NO_KEYS: f32 = 3e38;



const CAUSAL: bool = false;
const HAS_KEY_MASK: bool = false;

fn attended(batch: u32, query: u32, key: u32) -> bool {
  var yes = key < params.lk;
  if (CAUSAL) {
    yes = yes && key <= query;
  }
  if (HAS_KEY_MASK) {
    yes = yes && key_mask[batch * params.lk + min(key, params.lk - 1u)] != 0u;
  }
  return yes;
}
`),
    entries: {"attention":["q","k","v","out","lse","key_mask"]},
    buffers: {"q":{"binding":1,"access":"read"},"k":{"binding":2,"access":"read"},"v":{"binding":3,"access":"read"},"out":{"binding":4,"access":"read_write"},"lse":{"binding":5,"access":"read_write"},"key_mask":{"binding":6,"access":"read"}},
    params: {"heads":"u32","lq":"u32","lk":"u32","q_stride":"u32","k_stride":"u32","v_stride":"u32","o_stride":"u32","q_offset":"u32","k_offset":"u32","v_offset":"u32","scale":"f32"},
    constants: {"QUERIES":"u32","KEYS":"u32","HEAD_SIZE":"u32","LOWEST":"f32","NO_KEYS":"f32","CAUSAL":"bool","HAS_KEY_MASK":"bool"},
  },
  'mean-attention': {
    code: /** @type {string} */ (`














struct Params {
  entities: u32,
  queries: u32,
  keys: u32,
  count: u32,
  first: u32,
  scale: f32,
  nan: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query_mask: array<i32>;
@group(0) @binding(2) var<storage, read> key_mask: array<i32>;
@group(0) @binding(3) var<storage, read_write> query_weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> s: array<f32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<storage, read_write> average_weights: array<f32>;
@group(0) @binding(7) var<storage, read> d_average: array<f32>;

const LOWEST: f32 = -3e38;
const NO_KEYS: f32 = 3e38;

@compute @workgroup_size(64)
fn weights(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let row = linear_index(group, groups, lane);
  if row >= params.entities * params.queries { return; }
  let sequence = row / params.queries * params.queries;
  var real = 0u;
  for (var i = 0u; i < params.queries; i++) { real += select(0u, 1u, query_mask[sequence + i] != 0); }
  query_weights[row] = select(0.0, 1.0 / f32(max(real, 1u)), query_mask[row] != 0);
}


struct Segment {
  row: u32,
  scores: u32,
  mask: u32,
  d_average: u32,
  isReal: bool,
}

fn segment(i: u32) -> Segment {
  let row = i / params.count;
  let m = params.first + i % params.count;
  let exists = row < params.entities * params.queries;
  return Segment(row, i * params.keys, m * params.keys,
                 (m * params.entities + row / params.queries) * params.keys,
                 exists && query_weights[select(0u, row, exists)] != 0.0);
}


fn largest(own: Segment) -> f32 {
  var top = LOWEST;
  for (var j = 0u; j < params.keys; j++) {
    if key_mask[own.mask + j] != 0 { top = max(top, params.scale * s[own.scores + j]); }
  }
  return top;
}

@compute @workgroup_size(64)
fn row_sums(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  let own = segment(i);
  if !own.isReal { return; }
  let top = largest(own);
  var sum = 0.0;
  var empty = true;
  var broken = false;
  for (var j = 0u; j < params.keys; j++) {
    if key_mask[own.mask + j] != 0 {
      let score = s[own.scores + j];
      sum += exp(params.scale * score - top);
      empty = false;
      broken = broken || is_nan(score);
    }
  }
  lse[i] = select(top + log(sum), NO_KEYS, empty);
  if broken { lse[i] = params.nan; }
}

@compute @workgroup_size(64)
fn average(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i >= params.count * params.entities * params.keys { return; }
  let j = i % params.keys;
  let e = i / params.keys % params.entities;
  let m = i / params.keys / params.entities;
  var sum = 0.0;
  if key_mask[(params.first + m) * params.keys + j] != 0 {
    for (var row = e * params.queries; row < (e + 1u) * params.queries; row++) {
      let weight = query_weights[row];
      if weight != 0.0 {
        let at = row * params.count + m;
        let own_lse = lse[at];
        let p = exp(params.scale * s[at * params.keys + j] - own_lse);
        sum += weight * select(p, own_lse, is_nan(own_lse));
      }
    }
  }
  average_weights[params.first * params.entities * params.keys + i] = sum;
}

@compute @workgroup_size(64)
fn gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  let own = segment(i);
  if own.row >= params.entities * params.queries { return; }
  if !own.isReal {
    for (var j = 0u; j < params.keys; j++) { s[own.scores + j] = 0.0; }
    return;
  }
  let top = largest(own);
  var sum = 0.0;
  var dot = 0.0;
  for (var j = 0u; j < params.keys; j++) {
    if key_mask[own.mask + j] != 0 {
      let e = exp(params.scale * s[own.scores + j] - top);
      sum += e;
      dot += e * d_average[own.d_average + j];
    }
  }
  dot /= sum;
  let factor = params.scale * query_weights[own.row] / sum;
  for (var j = 0u; j < params.keys; j++) {
    var ds = 0.0;
    if key_mask[own.mask + j] != 0 {
      ds = factor * exp(params.scale * s[own.scores + j] - top) * (d_average[own.d_average + j] - dot);
    }
    s[own.scores + j] = ds;
  }
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}




fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}
`),
    entries: {"weights":["query_mask","query_weights"],"row_sums":["key_mask","query_weights","s","lse"],"average":["key_mask","query_weights","s","lse","average_weights"],"gradient":["key_mask","query_weights","s","d_average"]},
    buffers: {"query_mask":{"binding":1,"access":"read"},"key_mask":{"binding":2,"access":"read"},"query_weights":{"binding":3,"access":"read_write"},"s":{"binding":4,"access":"read_write"},"lse":{"binding":5,"access":"read_write"},"average_weights":{"binding":6,"access":"read_write"},"d_average":{"binding":7,"access":"read"}},
    params: {"entities":"u32","queries":"u32","keys":"u32","count":"u32","first":"u32","scale":"f32","nan":"f32"},
    constants: {"LOWEST":"f32","NO_KEYS":"f32"},
  },
  'ragged-mean-attention-panel': {
    code: /** @type {string} */ (`enable subgroups;




















const CHUNKS: u32 = 3u;
const COLUMNS: u32 = 6u;
const MENTIONS: u32 = 2u;

const KEYS = MENTIONS * COLUMNS;
const FEATURES = 32u * CHUNKS;
const LOG2_E = 1.4426950408889634;


alias Panel = array<vec4f, 3u * FEATURES>;


struct Tile12 {
  a: vec4f,
  b: vec4f,
  c: vec4f,
}


fn add_feature(panel: ptr<function, Panel>, s: Tile12, e: u32, x: f32) -> Tile12 {
  return Tile12(s.a + x * (*panel)[e], s.b + x * (*panel)[e + 1u], s.c + x * (*panel)[e + 2u]);
}

fn add_four(panel: ptr<function, Panel>, s: Tile12, e: u32, x: vec4f) -> Tile12 {
  var t = add_feature(panel, s, e, x.x);
  t = add_feature(panel, t, e + 3u, x.y);
  t = add_feature(panel, t, e + 6u, x.z);
  return add_feature(panel, t, e + 9u, x.w);
}


fn add_chunk(panel: ptr<function, Panel>, s: Tile12, chunk: u32, x: vec4f) -> Tile12 {
  let e = 96u * chunk;
  var t = add_four(panel, s, e, subgroupShuffle(x, 0u));
  t = add_four(panel, t, e + 12u, subgroupShuffle(x, 1u));
  t = add_four(panel, t, e + 24u, subgroupShuffle(x, 2u));
  t = add_four(panel, t, e + 36u, subgroupShuffle(x, 3u));
  t = add_four(panel, t, e + 48u, subgroupShuffle(x, 4u));
  t = add_four(panel, t, e + 60u, subgroupShuffle(x, 5u));
  t = add_four(panel, t, e + 72u, subgroupShuffle(x, 6u));
  return add_four(panel, t, e + 84u, subgroupShuffle(x, 7u));
}


fn row_four(row: u32, d: u32) -> vec4f {
  let four = q_four(row * params.width, min(d, params.width - 4u));
  return select(vec4f(), four * (params.scale * LOG2_E), d < params.width);
}

fn lanes_max(x: f32) -> f32 {
  return max(
    max(max(subgroupShuffle(x, 0u), subgroupShuffle(x, 1u)),
        max(subgroupShuffle(x, 2u), subgroupShuffle(x, 3u))),
    max(max(subgroupShuffle(x, 4u), subgroupShuffle(x, 5u)),
        max(subgroupShuffle(x, 6u), subgroupShuffle(x, 7u))),
  );
}

fn lanes_sum(x: f32) -> f32 {
  return
    ((subgroupShuffle(x, 0u) + subgroupShuffle(x, 1u)) + (subgroupShuffle(x, 2u) + subgroupShuffle(x, 3u))) +
    ((subgroupShuffle(x, 4u) + subgroupShuffle(x, 5u)) + (subgroupShuffle(x, 6u) + subgroupShuffle(x, 7u)));
}


fn any_in_mask(mention: u32, entity: u32) -> bool {
  if (!MASKED) {
    return true;
  }
  var any = false;
  for (var m = 0u; m < MENTIONS; m++) {
    any = any || is_in_mask(min(mention + m, params.mentions - 1u), entity);
  }
  return any;
}

@compute @workgroup_size(8)
fn ragged_mean_attention(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                         @builtin(local_invocation_index) lane: u32) {
  let index = group.y * groups.x + group.x;
  let mention_groups = (params.mentions - params.before + MENTIONS - 1u) / MENTIONS;
  let mention = params.before + index % mention_groups * MENTIONS;
  let run = index / mention_groups * params.run;
  let last_entity = min(run + params.run, params.entities);


  var starts: array<f32, 12>;
  for (var i = 0u; i < KEYS; i++) {
    let real = is_key(mention + i / COLUMNS, COLUMNS * lane + i % COLUMNS);
    starts[i] = select(LOWEST, 0.0, real);
  }
  var panel: Panel;

  for (var d = 0u; d < select(FEATURES, 0u, params.width == 0u); d += 4u) {
    for (var i = 0u; i < KEYS; i += 4u) {
      var block = mat4x4f();
      for (var j = 0u; j < 4u; j++) {
        let real = i + j < KEYS && starts[i + j] == 0.0 && d < params.width;
        let four = k_four(mention + (i + j) / COLUMNS, COLUMNS * lane + (i + j) % COLUMNS,
                          min(d, params.width - 4u));
        block[j] = select(vec4f(), four, real);
      }
      block = transpose(block);
      let e = 3u * d + i / 4u;
      panel[e] = block[0];
      panel[e + 3u] = block[1];
      panel[e + 6u] = block[2];
      panel[e + 9u] = block[3];
    }
  }

  let start = Tile12(
    vec4f(starts[0], starts[1], starts[2], starts[3]),
    vec4f(starts[4], starts[5], starts[6], starts[7]),
    vec4f(starts[8], starts[9], starts[10], starts[11]),
  );
  var entity = run;
  loop {
    let begin = first_row(entity);
    let end = select(begin, max(begin, first_row(entity + 1u)), any_in_mask(mention, entity));

    var sums = array<f32, 12>();
    var row = min(begin, params.rows - 1u);
    loop {
      let x0 = row_four(row, 4u * lane);
      let x1 = row_four(row, 4u * lane + 32u);
      let x2 = row_four(row, 4u * lane + 64u);
      var s = add_chunk(&panel, start, 0u, x0);
      if (CHUNKS > 1u) { s = add_chunk(&panel, s, 1u, x1); }
      if (CHUNKS > 2u) { s = add_chunk(&panel, s, 2u, x2); }
      var weights = array<f32, 12>(
        s.a.x, s.a.y, s.a.z, s.a.w, s.b.x, s.b.y, s.b.z, s.b.w, s.c.x, s.c.y, s.c.z, s.c.w,
      );
      for (var m = 0u; m < MENTIONS; m++) {
        let i = m * COLUMNS;
        var top = weights[i];
        for (var j = 1u; j < COLUMNS; j++) {
          top = max(top, weights[i + j]);
        }
        top = lanes_max(top);
        var total = 0.0;
        var check = 0.0;
        for (var j = 0u; j < COLUMNS; j++) {
          let difference = weights[i + j] - top;
          let weight = exp2(difference);
          weights[i + j] = weight;
          total += weight;
          check += difference;
        }
        let inverse = 1.0 / lanes_sum(select(total, params.nan, is_nan(check)));
        for (var j = 0u; j < COLUMNS; j++) {
          sums[i + j] += weights[i + j] * inverse;
        }
      }
      continuing {
        row++;
        break if row >= end;
      }
    }

    let share = 1.0 / f32(max(end - begin, 1u));
    for (var i = 0u; i < KEYS; i++) {
      let owner = mention + i / COLUMNS;
      let key = COLUMNS * lane + i % COLUMNS;
      if (owner < params.mentions && key < params.keys) {
        let counts = starts[i] == 0.0 && end > begin;
        average_weights[place(owner, entity) + key] = select(0.0, sums[i] * share, counts);
      }
    }
    continuing {
      entity++;
      break if entity >= last_entity;
    }
  }
}





struct Params {
  rows: u32,
  entities: u32,
  mentions: u32,
  before: u32,
  skip: u32,
  keys: u32,
  width: u32,
  run: u32,
  scale: f32,
  nan: f32,
}

const VECTOR: bool = false;
const MASKED: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> offsets: array<i32>;
@group(0) @binding(3) var<storage, read> k: array<vec4f>;
@group(0) @binding(4) var<storage, read> key_mask: array<i32>;
@group(0) @binding(5) var<storage, read_write> average_weights: array<f32>;
@group(0) @binding(6) var<storage, read> pair_mask: array<u32>;


const LOWEST: f32 = -3e38;


fn first_row(entity: u32) -> u32 {
  return min(u32(max(offsets[entity], 0)), params.rows);
}


fn place(mention: u32, entity: u32) -> u32 {
  return params.skip + ((mention - params.before) * params.entities + entity) * params.keys;
}

fn is_in_mask(mention: u32, entity: u32) -> bool {
  return !MASKED || pair_mask[mention * params.entities + entity] != 0u;
}

fn is_key(mention: u32, key: u32) -> bool {
  let exists = mention < params.mentions && key < params.keys;
  return exists && key_mask[select(0u, mention * params.keys + key, exists)] != 0;
}

fn keep(d: u32, x: f32) -> f32 {
  return select(0.0, x, d < params.width);
}


fn q_four(i: u32, d: u32) -> vec4f {
  let e = i + d;
  if (VECTOR) {
    return q[e >> 2u];
  }
  return vec4f(
    keep(d, q[e >> 2u][e & 3u]),
    keep(d + 1u, q[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, q[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, q[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}


fn k_four(mention: u32, key: u32, d: u32) -> vec4f {
  let token = min(mention, params.mentions - 1u) * params.keys + min(key, params.keys - 1u);
  let e = token * params.width + d;
  if (VECTOR) {
    return k[e >> 2u];
  }
  return vec4f(
    keep(d, k[e >> 2u][e & 3u]),
    keep(d + 1u, k[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, k[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, k[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}




fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}
`),
    entries: {"ragged_mean_attention":["q","offsets","k","key_mask","average_weights","pair_mask"]},
    buffers: {"q":{"binding":1,"access":"read"},"offsets":{"binding":2,"access":"read"},"k":{"binding":3,"access":"read"},"key_mask":{"binding":4,"access":"read"},"average_weights":{"binding":5,"access":"read_write"},"pair_mask":{"binding":6,"access":"read"}},
    params: {"rows":"u32","entities":"u32","mentions":"u32","before":"u32","skip":"u32","keys":"u32","width":"u32","run":"u32","scale":"f32","nan":"f32"},
    constants: {"CHUNKS":"u32","COLUMNS":"u32","MENTIONS":"u32","VECTOR":"bool","MASKED":"bool","LOWEST":"f32"},
  },
  'ragged-mean-attention': {
    code: /** @type {string} */ (`













const ROW_LANES: u32 = 8u;
const KEY_LANES: u32 = 1u;
const KEYS = 448u / ROW_LANES;
const STRIDE = KEYS + 1u;
const ROWS = 8u * ROW_LANES;
const LANES = ROW_LANES * KEY_LANES;

var<workgroup> scores: array<f32, ROWS * STRIDE>;
var<workgroup> sums: array<f32, KEYS>;

fn put(row: u32, key: u32, left: vec4f, right: vec4f) {
  let i = row * STRIDE + key;
  scores[i] = left.x;
  scores[i + 1u] = left.y;
  scores[i + 2u] = left.z;
  scores[i + 3u] = left.w;
  scores[i + 4u] = right.x;
  scores[i + 5u] = right.y;
  scores[i + 6u] = right.z;
  scores[i + 7u] = right.w;
}

fn are_keys(mention: u32, key: u32) -> vec4<bool> {
  return vec4<bool>(
    is_key(mention, key), is_key(mention, key + 1u), is_key(mention, key + 2u), is_key(mention, key + 3u),
  );
}


fn products(tile: u32, row: u32, mention: u32, key: u32) {
  let last = params.rows - 1u;
  let q0 = min(tile + row, last) * params.width;
  let q1 = min(tile + row + 1u, last) * params.width;
  let q2 = min(tile + row + 2u, last) * params.width;
  let q3 = min(tile + row + 3u, last) * params.width;
  let q4 = min(tile + row + 4u, last) * params.width;
  let q5 = min(tile + row + 5u, last) * params.width;
  let q6 = min(tile + row + 6u, last) * params.width;
  let q7 = min(tile + row + 7u, last) * params.width;
  var l0 = vec4f(); var l1 = vec4f(); var l2 = vec4f(); var l3 = vec4f();
  var l4 = vec4f(); var l5 = vec4f(); var l6 = vec4f(); var l7 = vec4f();
  var r0 = vec4f(); var r1 = vec4f(); var r2 = vec4f(); var r3 = vec4f();
  var r4 = vec4f(); var r5 = vec4f(); var r6 = vec4f(); var r7 = vec4f();
  for (var d = 0u; d < params.width; d += 4u) {
    let block_l = mat4x4f(
      k_four(mention, key, d),
      k_four(mention, key + 1u, d),
      k_four(mention, key + 2u, d),
      k_four(mention, key + 3u, d),
    );
    let block_r = mat4x4f(
      k_four(mention, key + 4u, d),
      k_four(mention, key + 5u, d),
      k_four(mention, key + 6u, d),
      k_four(mention, key + 7u, d),
    );
    let f0 = q_four(q0, d); l0 += f0 * block_l; r0 += f0 * block_r;
    let f1 = q_four(q1, d); l1 += f1 * block_l; r1 += f1 * block_r;
    let f2 = q_four(q2, d); l2 += f2 * block_l; r2 += f2 * block_r;
    let f3 = q_four(q3, d); l3 += f3 * block_l; r3 += f3 * block_r;
    let f4 = q_four(q4, d); l4 += f4 * block_l; r4 += f4 * block_r;
    let f5 = q_four(q5, d); l5 += f5 * block_l; r5 += f5 * block_r;
    let f6 = q_four(q6, d); l6 += f6 * block_l; r6 += f6 * block_r;
    let f7 = q_four(q7, d); l7 += f7 * block_l; r7 += f7 * block_r;
  }
  let is_left = are_keys(mention, key);
  let is_right = are_keys(mention, key + 4u);
  let low = vec4f(LOWEST);
  var left = array<vec4f, 8>(l0, l1, l2, l3, l4, l5, l6, l7);
  var right = array<vec4f, 8>(r0, r1, r2, r3, r4, r5, r6, r7);

  let rows = select(8u, 0u, params.width == 0u);
  for (var i = 0u; i < rows; i++) {
    put(row + i, key, select(low, left[i], is_left), select(low, right[i], is_right));
  }
}


fn softmax(row: u32) {
  let base = row * STRIDE;
  var top = LOWEST;
  for (var j = 0u; j < params.keys; j++) {
    top = max(top, scores[base + j]);
  }
  var total = 0.0;
  var broken = false;
  for (var j = 0u; j < params.keys; j++) {
    let score = scores[base + j];
    let difference = params.scale * (score - top);
    let weight = select(exp(difference), 0.0, score == LOWEST);
    scores[base + j] = weight;
    total += weight;
    broken = broken || is_nan(difference);
  }
  let inverse = select(1.0 / total, params.nan, broken);
  for (var j = 0u; j < params.keys; j++) {
    let weight = scores[base + j] * inverse;
    scores[base + j] = weight;
  }
}

@compute @workgroup_size(LANES)
fn ragged_mean_attention(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                         @builtin(local_invocation_index) lane: u32) {
  let index = group.y * groups.x + group.x;
  let mentions = params.mentions - params.before;
  let mention = params.before + index % mentions;
  var entity = min(index / mentions * params.run, params.entities);
  let last_entity = min(entity + params.run, params.entities);
  for (var j = lane; j < params.keys; j += LANES) {
    sums[j] = 0.0;
  }

  for (var tile = first_row(entity); entity < last_entity; tile += ROWS) {

    while (entity < last_entity && first_row(entity) >= tile && !is_in_mask(mention, entity)) {
      for (var j = lane; j < params.keys; j += LANES) {
        average_weights[place(mention, entity) + j] = 0.0;
      }
      entity++;
    }
    if (entity >= last_entity) {
      break;
    }
    tile = max(tile, first_row(entity));
    for (var key = 8u * (lane / ROW_LANES); key < params.keys; key += 8u * KEY_LANES) {
      products(tile, 8u * (lane % ROW_LANES), mention, key);
    }
    workgroupBarrier();
    for (var row = lane; row < ROWS; row += LANES) {
      softmax(row);
    }
    workgroupBarrier();
    while (entity < last_entity) {
      let begin = first_row(entity);
      let end = max(begin, first_row(entity + 1u));
      if (begin >= tile + ROWS) {
        break;
      }
      let start = max(begin, tile) - tile;
      let stop = max(min(end, tile + ROWS), tile) - tile;
      let share = 1.0 / f32(max(end - begin, 1u));
      let counts = is_in_mask(mention, entity);
      let ends = end <= tile + ROWS || !counts;
      for (var j = lane; j < params.keys; j += LANES) {
        var sum = sums[j];
        for (var row = start; row < stop; row++) {
          sum += scores[row * STRIDE + j];
        }
        if (ends) {
          average_weights[place(mention, entity) + j] = select(0.0, sum * share, counts && is_key(mention, j));
          sum = 0.0;
        }
        sums[j] = sum;
      }
      if (!ends) {
        break;
      }
      entity++;
    }
    workgroupBarrier();
  }
}





struct Params {
  rows: u32,
  entities: u32,
  mentions: u32,
  before: u32,
  skip: u32,
  keys: u32,
  width: u32,
  run: u32,
  scale: f32,
  nan: f32,
}

const VECTOR: bool = false;
const MASKED: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> offsets: array<i32>;
@group(0) @binding(3) var<storage, read> k: array<vec4f>;
@group(0) @binding(4) var<storage, read> key_mask: array<i32>;
@group(0) @binding(5) var<storage, read_write> average_weights: array<f32>;
@group(0) @binding(6) var<storage, read> pair_mask: array<u32>;


const LOWEST: f32 = -3e38;


fn first_row(entity: u32) -> u32 {
  return min(u32(max(offsets[entity], 0)), params.rows);
}


fn place(mention: u32, entity: u32) -> u32 {
  return params.skip + ((mention - params.before) * params.entities + entity) * params.keys;
}

fn is_in_mask(mention: u32, entity: u32) -> bool {
  return !MASKED || pair_mask[mention * params.entities + entity] != 0u;
}

fn is_key(mention: u32, key: u32) -> bool {
  let exists = mention < params.mentions && key < params.keys;
  return exists && key_mask[select(0u, mention * params.keys + key, exists)] != 0;
}

fn keep(d: u32, x: f32) -> f32 {
  return select(0.0, x, d < params.width);
}


fn q_four(i: u32, d: u32) -> vec4f {
  let e = i + d;
  if (VECTOR) {
    return q[e >> 2u];
  }
  return vec4f(
    keep(d, q[e >> 2u][e & 3u]),
    keep(d + 1u, q[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, q[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, q[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}


fn k_four(mention: u32, key: u32, d: u32) -> vec4f {
  let token = min(mention, params.mentions - 1u) * params.keys + min(key, params.keys - 1u);
  let e = token * params.width + d;
  if (VECTOR) {
    return k[e >> 2u];
  }
  return vec4f(
    keep(d, k[e >> 2u][e & 3u]),
    keep(d + 1u, k[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, k[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, k[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}




fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}
`),
    entries: {"ragged_mean_attention":["q","offsets","k","key_mask","average_weights","pair_mask"]},
    buffers: {"q":{"binding":1,"access":"read"},"offsets":{"binding":2,"access":"read"},"k":{"binding":3,"access":"read"},"key_mask":{"binding":4,"access":"read"},"average_weights":{"binding":5,"access":"read_write"},"pair_mask":{"binding":6,"access":"read"}},
    params: {"rows":"u32","entities":"u32","mentions":"u32","before":"u32","skip":"u32","keys":"u32","width":"u32","run":"u32","scale":"f32","nan":"f32"},
    constants: {"ROW_LANES":"u32","KEY_LANES":"u32","VECTOR":"bool","MASKED":"bool","LOWEST":"f32"},
  },
});
