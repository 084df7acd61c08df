enable subgroups;

// Gradients of scaled dot-product attention for GPUs: the formulas, shapes and entries of attention-backward.wgsl.
// A workgroup computes ROWS queries (keys) of one head, each shared by 4 neighbouring invocations, whose lanes compute every
// fourth four of its features and of its sums in registers. The other side passes through workgroup memory, STEP rows
// at a time; the partial products meet by two shuffles. Why this shape: a key has 4 HEAD_SIZE numbers with its sums,
// more than an invocation has registers for 64 features. Needs subgroups of at least 4 invocations that follow one
// another in the workgroup. Dispatch (ceil(lq / ROWS), heads, batch) for `queries` and `row_dots`, (ceil(lk / ROWS),
// heads, batch) for `keys`.

// needs attention-backward-operands.wgsl

const ROWS: u32 = 32u;
const STEP: u32 = 16u;

const PER_LANE = (FOURS + 3u) / 4u; // fours that a lane computes; the last may lie beyond the head
const ROW = 4u * PER_LANE;
const THREADS = 4u * ROWS;

/** The part of a row that a lane computes: its fours lane, lane + 4, .. */
alias Part = array<vec4f, PER_LANE>;

var<workgroup> tile_a: array<vec4f, STEP * ROW>; // keys, or queries
var<workgroup> tile_b: array<vec4f, STEP * ROW>; // values, or gradients of the output

/** The sum over the components of x in the 4 lanes that share a row. */
fn row_sum(x: vec4f) -> f32 {
  let own = (x.x + x.y) + (x.z + x.w);
  let pair = own + subgroupShuffleXor(own, 1u);
  return pair + subgroupShuffleXor(pair, 2u);
}

fn write_first(start: u32, lane: u32, sums: Part) {
  for (var i = 0u; i < PER_LANE; i++) {
    for (var c = 0u; c < 4u; c++) {
      let d = 4u * (4u * i + lane) + c;
      if d < HEAD_SIZE { first_gradient[start + d] = sums[i][c]; }
    }
  }
}

fn write_second(start: u32, lane: u32, sums: Part) {
  for (var i = 0u; i < PER_LANE; i++) {
    for (var c = 0u; c < 4u; c++) {
      let d = 4u * (4u * i + lane) + c;
      if d < HEAD_SIZE { second_gradient[start + d] = sums[i][c]; }
    }
  }
}

// dots = dout . out; `out` is bound as q.
@compute @workgroup_size(THREADS)
fn row_dots(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let query = group.x * ROWS + thread / 4u;
  let lane = thread % 4u;
  let start = row_start(group.z, group.y, params.lq, query);
  var total = vec4f();
  for (var i = 0u; i < PER_LANE; i++) {
    let f = 4u * i + lane;
    let at = min(f, FOURS - 1u);
    total = select(total, fma(q_four(start, at), dout_four(start, at), total), f < FOURS);
  }
  let dot_product = row_sum(total);
  if lane == 0u && query < params.lq {
    first_gradient[(group.z * params.heads + group.y) * params.lq + query] = dot_product;
  }
}

@compute @workgroup_size(THREADS)
fn queries(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let head = group.y;
  let batch = group.z;
  let query = group.x * ROWS + thread / 4u;
  let lane = thread % 4u;
  let start = row_start(batch, head, params.lq, query);
  let row = (batch * params.heads + head) * params.lq + min(query, params.lq - 1u);
  let own_lse = lse[row];
  let own_dot = dots[row];
  var own_q: Part;
  var own_dout: Part;
  var sums: Part;
  for (var i = 0u; i < PER_LANE; i++) {
    let f = 4u * i + lane;
    own_q[i] = select(vec4f(), q_four(start, min(f, FOURS - 1u)), f < FOURS);
    own_dout[i] = select(vec4f(), dout_four(start, min(f, FOURS - 1u)), f < FOURS);
  }
  var end = params.lk;
  if CAUSAL { end = min(end, (group.x + 1u) * ROWS); }
  for (var first = 0u; first < end; first += STEP) {
    for (var i = thread; i < STEP * ROW; i += THREADS) {
      let key = first + i / ROW;
      let other = row_start(batch, head, params.lk, key);
      let f = i % ROW;
      let is_real = f < FOURS && key < params.lk;
      tile_a[i] = select(vec4f(), k_four(other, min(f, FOURS - 1u)), is_real);
      tile_b[i] = select(vec4f(), v_four(other, min(f, FOURS - 1u)), is_real);
    }
    workgroupBarrier();
    for (var j = 0u; j < STEP; j++) {
      var score = vec4f();
      var dp = vec4f();
      for (var i = 0u; i < PER_LANE; i++) {
        score = fma(own_q[i], tile_a[j * ROW + 4u * i + lane], score);
        dp = fma(own_dout[i], tile_b[j * ROW + 4u * i + lane], dp);
      }
      let p = exp(params.scale * row_sum(score) - own_lse);
      let ds = select(0.0, params.scale * p * (row_sum(dp) - own_dot), is_pair(batch, query, first + j));
      for (var i = 0u; i < PER_LANE; i++) {
        sums[i] = fma(vec4f(ds), tile_a[j * ROW + 4u * i + lane], sums[i]);
      }
    }
    workgroupBarrier();
  }
  if query < params.lq { write_first(start, lane, sums); }
}

@compute @workgroup_size(THREADS)
fn keys(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let head = group.y;
  let batch = group.z;
  let key = group.x * ROWS + thread / 4u;
  let lane = thread % 4u;
  let start = row_start(batch, head, params.lk, key);
  let rows = (batch * params.heads + head) * params.lq;
  var own_k: Part;
  var own_v: Part;
  var k_sums: Part;
  var v_sums: Part;
  for (var i = 0u; i < PER_LANE; i++) {
    let f = 4u * i + lane;
    own_k[i] = select(vec4f(), k_four(start, min(f, FOURS - 1u)), f < FOURS);
    own_v[i] = select(vec4f(), v_four(start, min(f, FOURS - 1u)), f < FOURS);
  }
  var begin = 0u;
  if CAUSAL { begin = group.x * ROWS / STEP * STEP; }
  for (var first = begin; first < params.lq; first += STEP) {
    for (var i = thread; i < STEP * ROW; i += THREADS) {
      let query = first + i / ROW;
      let other = row_start(batch, head, params.lq, query);
      let f = i % ROW;
      let is_real = f < FOURS && query < params.lq;
      tile_a[i] = select(vec4f(), q_four(other, min(f, FOURS - 1u)), is_real);
      tile_b[i] = select(vec4f(), dout_four(other, min(f, FOURS - 1u)), is_real);
    }
    workgroupBarrier();
    for (var j = 0u; j < STEP; j++) {
      let query = first + j;
      let at = rows + min(query, params.lq - 1u);
      var score = vec4f();
      var dp = vec4f();
      for (var i = 0u; i < PER_LANE; i++) {
        score = fma(own_k[i], tile_a[j * ROW + 4u * i + lane], score);
        dp = fma(own_v[i], tile_b[j * ROW + 4u * i + lane], dp);
      }
      let seen = is_pair(batch, query, key);
      let p = select(0.0, exp(params.scale * row_sum(score) - lse[at]), seen);
      let ds = select(0.0, params.scale * p * (row_sum(dp) - dots[at]), seen);
      for (var i = 0u; i < PER_LANE; i++) {
        k_sums[i] = fma(vec4f(ds), tile_a[j * ROW + 4u * i + lane], k_sums[i]);
        v_sums[i] = fma(vec4f(p), tile_b[j * ROW + 4u * i + lane], v_sums[i]);
      }
    }
    workgroupBarrier();
  }
  if key < params.lk {
    write_first(start, lane, k_sums);
    write_second(start, lane, v_sums);
  }
}
