// The neighbours of each step, beside one another: x [rows, width], rows = batch times length, -> y [rows, width, TAPS]
// with y[t, c, j] = x[t + j - TAPS / 2, c], 0 where that step is outside its sequence. With it a convolution over time
// is one matrix product with its weight [out, width, TAPS] as it is stored.
//   fold: dx[t, c] = sum over j of dy[t - j + TAPS / 2, c, j].
// A workgroup computes a step, so that its place in the sequence is found once; neighbours compute neighbouring
// elements.

const TAPS: u32 = 3u;
const LEFT: u32 = TAPS / 2u; // steps before the own one: y[t] begins with x[t - LEFT]

// needs linear-index.wgsl

struct Params {
  rows: u32,
  length: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn unfold(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
          @builtin(local_invocation_index) lane: u32) {
  let row = linear_group(group, groups);
  if row >= params.rows { return; }
  let t = row % params.length;
  let count = params.width * TAPS;
  for (var i = lane; i < count; i += 64u) {
    let c = i / TAPS;
    let j = i % TAPS;
    // Before the sequence the sum wraps around, beyond its length.
    let is_inside = t + j - LEFT < params.length;
    y[row * count + i] = select(0.0, x[select(row, row + j - LEFT, is_inside) * params.width + c], is_inside);
  }
}

// The gradient of x, here y [rows, width], from that of the neighbours, here x [rows, width, TAPS].
@compute @workgroup_size(64)
fn fold(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let row = linear_group(group, groups);
  if row >= params.rows { return; }
  let t = row % params.length;
  for (var c = lane; c < params.width; c += 64u) {
    var total = 0.0;
    for (var j = 0u; j < TAPS; j++) {
      if t + LEFT - j < params.length { total += x[((row + LEFT - j) * params.width + c) * TAPS + j]; }
    }
    y[row * params.width + c] = total;
  }
}
