// A mixture of probabilities over entities: of PARTS systems that score the same pairs, each part's scores times its scale
// become probabilities p_i(e | m) over all entities, and pi_i(m) of them each counts (mixtures of experts, Jacobs et al.
// 1991).
//   add:  takes scores [M, E] of one part into tops, sums [M, PARTS]: of x = scale[part] scores the largest x so far, and
//         sum exp(x - tops). LANES invocations share a mention, a workgroup computes ROWS of them. What is not finite does
//         not count, so that it shows in its own pair only.
//   mix:  y[m, e] = log sum_i exp(offset[m, i] + scale[i] scores[i, m, e]), with offset = log pi_i(m) - log sum exp x. An
//         invocation takes an entity and ITEMS mentions.

const PARTS: u32 = 2u;
const ITEMS: u32 = 8u;

// needs row-lanes.wgsl
// needs numbers.wgsl

struct Params {
  mentions: u32,
  entities: u32,
  part: u32,
  lowest: f32,
  nan: f32, // no constant: WGSL refuses to write one
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scores: array<f32>; // [M, E] of a part; [PARTS, M, E]
@group(0) @binding(2) var<storage, read> scale: array<f32>; // [PARTS]
@group(0) @binding(3) var<storage, read_write> tops: array<f32>; // [M, PARTS]
@group(0) @binding(4) var<storage, read_write> sums: array<f32>; // [M, PARTS]
@group(0) @binding(5) var<storage, read> offset: array<f32>; // [M, PARTS]
@group(0) @binding(6) var<storage, read_write> y: array<f32>; // [M, E]

@compute @workgroup_size(THREADS)
fn add(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
       @builtin(local_invocation_index) thread: u32) {
  let m = row_of(group, groups, thread);
  let exists = m < params.mentions;
  let entities = select(0u, params.entities, exists);
  let row = select(0u, m, exists);
  let at = row * PARTS + params.part;
  let factor = scale[params.part];

  var own_top = params.lowest;
  for (var e = thread % LANES; e < entities; e += LANES) {
    let x = factor * scores[row * params.entities + e];
    if is_finite(x) { own_top = max(own_top, x); }
  }
  let before = tops[at];
  let top = max(before, across(own_top, thread, true));
  var own_sum = 0.0;
  for (var e = thread % LANES; e < entities; e += LANES) {
    let x = factor * scores[row * params.entities + e];
    if is_finite(x) { own_sum += exp(x - top); }
  }
  let sum = across(own_sum, thread, false);
  if exists && thread % LANES == 0u {
    let kept = sums[at];
    if kept > 0.0 { sums[at] = kept * exp(before - top) + sum; } else { sums[at] = sum; }
    tops[at] = top;
  }
}

@compute @workgroup_size(64)
fn mix(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let e = group.x * 64u + lane;
  if e >= params.entities { return; }
  let last = min(params.mentions, (group.y + 1u) * ITEMS);
  let plane = params.mentions * params.entities;
  for (var m = group.y * ITEMS; m < last; m++) {
    let at = m * params.entities + e;
    var top = params.lowest;
    var finite = true;
    for (var i = 0u; i < PARTS; i++) {
      let x = offset[m * PARTS + i] + scale[i] * scores[i * plane + at];
      finite = finite && is_finite(x);
      top = max(top, x);
    }
    var sum = 0.0;
    for (var i = 0u; i < PARTS; i++) {
      sum += exp(offset[m * PARTS + i] + scale[i] * scores[i * plane + at] - top);
    }
    y[at] = select(params.nan, top + log(sum), finite);
  }
}
