// Some of the scores of a block of pairs, by their places in the array [M, E]; each place occurs at most once.
//   add_values:   scores[places[i]] += values[i]
//   take_scores:  taken[slots[i]] = scores[places[i]]
//   keep_pairs:   scores[i] = lowest where pair_mask[i] is 0, for all places i
// An invocation computes a pair.

// needs linear-index.wgsl

struct Params {
  pairs: u32,
  lowest: f32, // of keep_pairs
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read> slots: array<u32>;
@group(0) @binding(4) var<storage, read_write> scores: array<f32>;
@group(0) @binding(5) var<storage, read_write> taken: array<f32>;
@group(0) @binding(6) var<storage, read> pair_mask: array<u32>;

@compute @workgroup_size(64)
fn add_values(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i < params.pairs { scores[places[i]] += values[i]; }
}

@compute @workgroup_size(64)
fn take_scores(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
               @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i < params.pairs { taken[slots[i]] = scores[places[i]]; }
}

@compute @workgroup_size(64)
fn keep_pairs(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i < params.pairs && pair_mask[i] == 0u { scores[i] = params.lowest; }
}
