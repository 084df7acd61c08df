// The k largest of each row, largest first, the lower index first among equals; NaN counts as largest.
// Rows are thinned out until k are left: `partial_top_k` assigns each invocation one chunk of a row (every chunks-th
// element, so that neighbours read neighbouring words) and keeps the chunk's k best in order, by insertion,
// in candidates [rows, chunks, k]; the next dispatch selects among those, until a row has one chunk.
// The order of keys and indices is total: chunks of any size give the same result.
// A candidate is (key, index); keys are u32 in the order of the floats, 0 where a chunk has fewer than k.

const FIRST: bool = true; // select from x, not from candidates

// needs linear-index.wgsl
// needs numbers.wgsl

struct Params {
  rows: u32,
  n: u32,      // elements of a row
  chunks: u32, // chunks of a row
  k: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [rows, n]
@group(0) @binding(2) var<storage, read> from_keys: array<u32>; // [rows, n], of the dispatch before
@group(0) @binding(3) var<storage, read> from_indices: array<u32>;
@group(0) @binding(4) var<storage, read_write> keys: array<u32>; // [rows, chunks, k]
@group(0) @binding(5) var<storage, read_write> indices: array<u32>;
@group(0) @binding(6) var<storage, read_write> values: array<f32>; // [rows, k]

/** Larger for larger floats and largest for NaN; -0 equals 0. Never 0. */
fn sort_key(v: f32) -> u32 {
  let bits = bitcast<u32>(v);
  if is_nan(v) { return 0xffffffffu; }
  if bits == 0x80000000u { return bits; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn better(key: u32, index: u32, than_key: u32, than_index: u32) -> bool {
  return key > than_key || (key == than_key && index < than_index);
}

/** Puts a candidate in its place among the `kept` best of this chunk, in keys and indices from `base`. */
fn insert(base: u32, kept: u32, key: u32, index: u32) {
  var at = min(kept, params.k - 1u);
  while at > 0u {
    let before = base + at - 1u;
    if !better(key, index, keys[before], indices[before]) { break; }
    keys[before + 1u] = keys[before];
    indices[before + 1u] = indices[before];
    at--;
  }
  keys[base + at] = key;
  indices[base + at] = index;
}

@compute @workgroup_size(8)
fn partial_top_k(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_index) lane: u32) {
  let invocation = linear_group(group, groups) * 8u + lane;
  if invocation >= params.rows * params.chunks { return; }
  let row = invocation / params.chunks * params.n;
  let base = invocation * params.k;
  var kept = 0u;
  var least_key = 0u;
  var least_index = 0u;
  for (var i = invocation % params.chunks; i < params.n; i += params.chunks) {
    var key: u32;
    var index = i;
    if FIRST {
      key = sort_key(x[row + i]);
    } else {
      key = from_keys[row + i];
      index = from_indices[row + i];
    }
    if key == 0u || (kept == params.k && !better(key, index, least_key, least_index)) { continue; }
    insert(base, kept, key, index);
    kept = min(kept + 1u, params.k);
    least_key = keys[base + params.k - 1u];
    least_index = indices[base + params.k - 1u];
  }
  for (; kept < params.k; kept++) { keys[base + kept] = 0u; }
}

// values = x at the indices that were selected; an invocation computes one of them.
@compute @workgroup_size(64)
fn gather(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
          @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i >= params.rows * params.k { return; }
  values[i] = x[i / params.k * params.n + from_indices[i]];
}
