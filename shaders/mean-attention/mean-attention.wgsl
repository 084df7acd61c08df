// The parts of mean attention around its matrix products (ops/mean-attention.ts). For E sequences of Lq queries, M
// sequences of Lk keys and a chunk of C of the M, with s = q k^T [E Lq, C Lk] (row: a query; column: a key):
//   weights:   weight_i = 1 / real queries of the sequence, 0 for padding
//   row_sums:  lse_im = log sum_j exp(scale s_ij) over the real keys j of sequence m
//   average:   average_mej = sum_i weight_i p_ij over the queries i of sequence e, p_ij = exp(scale s_ij - lse_im)
//   gradient:  s_ij <- scale weight_i p_ij (d_j - sum_j p_ij d_j), d = d average: the gradient of the products, in place
// query_mask, query_weights [E Lq]; key_mask [M Lk]; average_weights, d_average [M, E, Lk]; lse [E Lq, C]. An invocation
// takes the scores of a query with a sequence of keys in `row_sums` and `gradient` (one division a segment: on CPU adapters
// an index by division a score cost more than the softmax), and one average weight in `average`, neighbours those of
// neighbouring keys. Nothing is shared, and every sum is sequential: same bits always. Padding is
// skipped, not multiplied by zero: whatever stands there does not matter.

// needs linear-index.wgsl
// needs numbers.wgsl

struct Params {
  entities: u32, // E
  queries: u32,  // Lq
  keys: u32,     // Lk
  count: u32,    // C
  first: u32,    // of the chunk's sequences of keys among all
  scale: f32,
  nan: f32, // no constant: WGSL refuses to write one
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
const NO_KEYS: f32 = 3e38; // lse of a query without keys: its query_weights come out as 0

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

// Where the scores of a query with a sequence of keys begin, and what belongs to them.
struct Segment {
  row: u32,
  scores: u32,
  mask: u32,
  d_average: u32,
  isReal: bool, // the query exists and is no padding
}

fn segment(i: u32) -> Segment {
  let row = i / params.count;
  let m = params.first + i % params.count;
  let exists = row < params.entities * params.queries;
  return Segment(row, i * params.keys, m * params.keys,
                 (m * params.entities + row / params.queries) * params.keys,
                 exists && query_weights[select(0u, row, exists)] != 0.0);
}

// The largest scaled score of a segment.
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
