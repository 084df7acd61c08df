// Global norm of all gradients and the scale that clips it, as torch.nn.utils.clip_grad_norm_:
//   norm = sqrt(sum g^2), scale = min(1, limit / (norm + 1e-6))
// g: n groups of four elements of a flat buffer whose padding is zero -> partials -> norm = [norm, scale].
// In `squares` a workgroup computes LANES * ITEMS groups of four and writes one partial sum; in `finish` one
// workgroup sums them all. The order of additions is fixed: same bits always.

const LANES: u32 = 64u; // invocations that share a partial sum; few where they are a CPU's SIMD lanes
const ITEMS: u32 = 16u;

// needs linear-index.wgsl

struct Params {
  n: u32, // groups of four in `squares`, partial sums in `finish`
  first: u32, // where `squares` puts its partial sums
  limit: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> g: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;
@group(0) @binding(3) var<storage, read_write> norm: array<f32>;

var<workgroup> lanes: array<f32, LANES>;

fn sum_lanes(lane: u32, mine: f32) {
  lanes[lane] = mine;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if lane < half { lanes[lane] += lanes[lane + half]; }
    workgroupBarrier();
  }
}

@compute @workgroup_size(LANES)
fn squares(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let index = linear_group(group, groups);
  let base = index * LANES * ITEMS + lane;
  var total = 0.0;
  for (var item = 0u; item < ITEMS; item++) {
    let i = base + LANES * item;
    if i < params.n { total += dot(g[i], g[i]); }
  }
  sum_lanes(lane, total);
  if lane == 0u && index * LANES * ITEMS < params.n { partials[params.first + index] = lanes[0]; }
}

@compute @workgroup_size(LANES)
fn finish(@builtin(local_invocation_index) lane: u32) {
  var total = 0.0;
  for (var i = lane; i < params.n; i += LANES) { total += partials[i]; }
  sum_lanes(lane, total);
  if lane != 0u { return; }
  let length = sqrt(lanes[0]);
  // By bits: comparisons with NaN may be folded. A NaN norm makes every gradient NaN, an infinite one makes
  // infinite gradients NaN and the others 0, as in PyTorch.
  let magnitude = bitcast<u32>(lanes[0]) & 0x7fffffffu;
  var scale = 1.0;
  if magnitude > 0x7f800000u {
    scale = lanes[0];
  } else if magnitude == 0x7f800000u {
    scale = 0.0;
  } else if length + 1e-6 > params.limit {
    scale = params.limit / (length + 1e-6);
  }
  norm[0] = select(length, lanes[0], magnitude >= 0x7f800000u);
  norm[1] = scale;
}
