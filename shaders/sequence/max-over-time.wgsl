// The maximum over time: x [batch, length, width], mask [batch, length] -> y [batch, width] and the step [batch, width]
// at which it stands. Steps with 0 in the mask do not count. Of equal values the first one counts, as in PyTorch's max
// over a dimension, and so does the first NaN if there is one. A sequence without a step that counts has -infinity.
//   backward: dx = dy at that step, 0 at all others.
// An invocation computes a column of one sequence, neighbours neighbouring columns: reads and writes lie side by side.

const HAS_MASK: bool = true;

// needs linear-index.wgsl
// needs numbers.wgsl

struct Params {
  batch: u32,
  length: u32,
  width: u32,
  lowest: f32, // -infinity, which WGSL has no constant for
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mask: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> steps: array<u32>; // `length` where no step counts
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i >= params.batch * params.width { return; }
  let sequence = i / params.width;
  let first = sequence * params.length * params.width + i % params.width;
  var best = params.lowest;
  var step = params.length;
  for (var t = 0u; t < params.length; t++) {
    var counts = true;
    if HAS_MASK { counts = mask[sequence * params.length + t] != 0; }
    let v = x[first + t * params.width];
    if counts && (step == params.length || (!is_nan(best) && (v > best || is_nan(v)))) {
      best = v;
      step = t;
    }
  }
  y[i] = best;
  steps[i] = step;
}

@compute @workgroup_size(64)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i >= params.batch * params.width { return; }
  let first = i / params.width * params.length * params.width + i % params.width;
  let step = steps[i];
  let gradient = dy[i];
  for (var t = 0u; t < params.length; t++) { dx[first + t * params.width] = select(0.0, gradient, t == step); }
}
