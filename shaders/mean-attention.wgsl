// The parts of mean attention around its matrix products (ops/mean-attention.ts). For E sequences of Lq queries, M
// sequences of Lk keys and a chunk of C of the M, with s = q k^T [E Lq, C Lk] (row: a query; column: a key):
//   weigh:     weight_i = 1 / real queries of the sequence, 0 for padding
//   row_sums:  stats_im = (lse, dot): lse = log sum_j exp(scale s_ij) over the real keys j of sequence m and, with
//              BACKWARD, dot = sum_j p_ij d_j, where p_ij = exp(scale s_ij - lse) and d = d average
//   average:   average_mej = sum_i weight_i p_ij over the queries i of sequence e
//   gradient:  s_ij <- scale weight_i p_ij (d_j - dot), the gradient of the products, in place
// query_mask, weights [E Lq]; key_mask [M Lk]; average, d_average [M, E, Lk]; stats [E Lq, C]. An invocation owns a
// row and a sequence of keys in `row_sums`, one element elsewhere; neighbours own neighbouring keys, so that
// their loads of s are next to each other. Nothing is shared, and every sum is sequential: same bits always.
// Padding is skipped, not multiplied by zero: whatever stands there does not matter.

struct Params {
  entities: u32, // E
  queries: u32,  // Lq
  keys: u32,     // Lk
  count: u32,    // C
  first: u32,    // of the chunk's sequences of keys among all
  scale: f32,
}

const BACKWARD: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query_mask: array<i32>;
@group(0) @binding(2) var<storage, read> key_mask: array<i32>;
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> s: array<f32>;
@group(0) @binding(5) var<storage, read_write> stats: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> average_weights: array<f32>;
@group(0) @binding(7) var<storage, read> d_average: array<f32>;

const LOWEST: f32 = -3e38;
const NO_KEYS: f32 = 3e38; // lse of a query without keys: its weights come out as 0

fn index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return (group.y * groups.x + group.x) * 64u + lane;
}

@compute @workgroup_size(64)
fn weigh(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
         @builtin(local_invocation_index) lane: u32) {
  let row = index(group, groups, lane);
  if row >= params.entities * params.queries { return; }
  let sequence = row / params.queries * params.queries;
  var real = 0u;
  for (var i = 0u; i < params.queries; i++) { real += select(0u, 1u, query_mask[sequence + i] != 0); }
  weights[row] = select(0.0, 1.0 / f32(max(real, 1u)), query_mask[row] != 0);
}

@compute @workgroup_size(64)
fn row_sums(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let i = index(group, groups, lane);
  if i >= params.entities * params.queries * params.count { return; }
  let row = i / params.count;
  let m = i % params.count;
  if weights[row] == 0.0 { return; }
  let base = i * params.keys;
  let mask = (params.first + m) * params.keys;
  let d_base = ((params.first + m) * params.entities + row / params.queries) * params.keys;
  var top = LOWEST;
  for (var j = 0u; j < params.keys; j++) {
    if key_mask[mask + j] != 0 { top = max(top, params.scale * s[base + j]); }
  }
  // max may drop a NaN; the exponentials bring it back.
  var sum = 0.0;
  var dot = 0.0;
  for (var j = 0u; j < params.keys; j++) {
    if key_mask[mask + j] != 0 {
      let e = exp(params.scale * s[base + j] - top);
      sum += e;
      if BACKWARD { dot += e * d_average[d_base + j]; }
    }
  }
  let empty = sum == 0.0;
  stats[i] = vec2f(select(top + log(sum), NO_KEYS, empty), select(dot / sum, 0.0, empty));
}

@compute @workgroup_size(64)
fn average(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let i = index(group, groups, lane);
  if i >= params.count * params.entities * params.keys { return; }
  let j = i % params.keys;
  let e = i / params.keys % params.entities;
  let m = i / params.keys / params.entities;
  var sum = 0.0;
  if key_mask[(params.first + m) * params.keys + j] != 0 {
    for (var row = e * params.queries; row < (e + 1u) * params.queries; row++) {
      let weight = weights[row];
      if weight != 0.0 {
        let at = row * params.count + m;
        sum += weight * exp(params.scale * s[at * params.keys + j] - stats[at].x);
      }
    }
  }
  average_weights[params.first * params.entities * params.keys + i] = sum;
}

@compute @workgroup_size(64)
fn gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let i = index(group, groups, lane);
  let at = i / params.keys;
  let row = at / params.count;
  if row >= params.entities * params.queries { return; }
  let j = i % params.keys;
  let m = params.first + at % params.count;
  let weight = weights[row];
  var ds = 0.0;
  if weight != 0.0 && key_mask[m * params.keys + j] != 0 {
    let own = stats[at];
    let d = d_average[(m * params.entities + row / params.queries) * params.keys + j];
    ds = params.scale * weight * exp(params.scale * s[i] - own.x) * (d - own.y);
  }
  s[i] = ds;
}
