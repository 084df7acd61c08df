// Gradients of scaled dot-product attention. With p_ij = exp(scale q_i.k_j - lse_i), rebuilt from the forward's lse:
//   dot_i = dout_i . out_i                       (`row_dots`)
//   ds_ij = scale p_ij (dout_i . v_j - dot_i)
//   dq_i = sum_j ds_ij k_j                       (`queries`)
//   dk_j = sum_i ds_ij q_i,  dv_j = sum_i p_ij dout_i   (`keys`)
// q, out, dout, dq [batch, lq, heads * HEAD_SIZE]; k, v, dk, dv [batch, lk, heads * HEAD_SIZE]; lse, dots
// [batch, heads, lq]; key_mask [batch, lk], 0 = not attended. Nothing of shape [L, L] is written and nothing is added
// atomically: `queries` walks the keys for its queries, `keys` the queries for its keys.
// An invocation owns one query (one key), with its rows and sums in registers; a workgroup owns ROWS of one head. The
// other side passes by: on GPUs without subgroups staged in workgroup memory, STEP rows at a time, each element fetched
// once for ROWS invocations; on CPU adapters, where workgroup memory costs as much as a buffer, read directly (STAGED =
// false).
// Dispatch (ceil(lq / ROWS), heads, batch) for `queries` and `row_dots`, (ceil(lk / ROWS), heads, batch) for `keys`.

// needs attention-backward-operands.wgsl

const STAGED: bool = true;
const ROWS: u32 = 64u;
const STEP: u32 = 16u;

var<workgroup> tile_a: array<vec4f, STEP * FOURS>; // keys, or queries
var<workgroup> tile_b: array<vec4f, STEP * FOURS>; // values, or gradients of the output

/**
 * FOURS, but unknown to the compiler when nothing is staged: the compilers of CPU adapters spend many seconds on the
 * unrolled loops. Known on GPUs, where unrolling keeps the arrays in registers.
 */
fn four_count() -> u32 {
  return select(FOURS, 0u, !STAGED && params.heads == 0u);
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
      let ds = select(0.0, params.scale * p * (dot(dp, vec4f(1.0)) - own_dot), is_pair(batch, query, first + j));
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
      let seen = is_pair(batch, query, key);
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
