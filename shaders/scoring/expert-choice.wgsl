// The gate at inference: of EXPERTS experts the one with the largest pi[m, e] = relu(u[m] + v[e]), the first of equals,
// scores the pair (equations 15 and 18). u [M, EXPERTS]; v [E, EXPERTS], or one row for all entities where STEP is 0.
//   select_scores:  y[m, e] = scale[i] scores[i, m, e] + offset[i] for the chosen i
//   select_mask:    pair_mask[m, e] = 1 where the chosen i is EXPERT, else 0; where LISTED, 0 as well where listed[m, e] is
//   count_choices:  counts[m, i] += entities for which m has i chosen, counts[m, EXPERTS + i] += those without an image
// In the first two an invocation takes an entity and ITEMS mentions; in the third LANES invocations share a mention, and a
// workgroup has ROWS of them. The scores of an expert that no pair chooses may hold anything. A gate that is not a number
// chooses no expert, and the pair's score is not a number either.

const EXPERTS: u32 = 3u;
const STEP: u32 = 1u;
const ITEMS: u32 = 8u;
const EXPERT: u32 = 0u;
const LISTED: bool = false; // only the pairs that `listed` names count

// needs row-lanes.wgsl
// needs numbers.wgsl

struct Params {
  mentions: u32,
  entities: u32,
  nan: f32, // no constant: WGSL refuses to write one
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> scores: array<f32>; // [EXPERTS, M, E]
@group(0) @binding(4) var<storage, read> calibration: array<f32>; // [2, EXPERTS]: scales, offsets
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> pair_mask: array<u32>; // [M, E]
@group(0) @binding(7) var<storage, read> has_no_image: array<u32>; // [E], 1 without an image
@group(0) @binding(8) var<storage, read_write> counts: array<u32>; // [M, 2, EXPERTS]
@group(0) @binding(9) var<storage, read> listed: array<u32>; // [M, E]

/** The expert chosen for a pair, EXPERTS where the gate is not a number. */
fn choice(mention: u32, entity: u32) -> u32 {
  var best = 0u;
  var most = -1.0;
  var broken = false;
  for (var i = 0u; i < EXPERTS; i++) {
    let sum = u[mention * EXPERTS + i] + v[STEP * entity * EXPERTS + i];
    broken = broken || is_nan(sum);
    let pi = select(sum, 0.0, sum < 0.0);
    if pi > most {
      most = pi;
      best = i;
    }
  }
  return select(best, EXPERTS, broken);
}

@compute @workgroup_size(64)
fn select_scores(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let e = group.x * 64u + lane;
  if e >= params.entities { return; }
  let last = min(params.mentions, (group.y + 1u) * ITEMS);
  for (var m = group.y * ITEMS; m < last; m++) {
    let at = m * params.entities + e;
    let i = choice(m, e);
    let expert = min(i, EXPERTS - 1u);
    let score = select(params.nan, scores[expert * params.mentions * params.entities + at], i < EXPERTS);
    y[at] = calibration[expert] * score + calibration[EXPERTS + expert];
  }
}

@compute @workgroup_size(64)
fn select_mask(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let e = group.x * 64u + lane;
  if e >= params.entities { return; }
  let last = min(params.mentions, (group.y + 1u) * ITEMS);
  for (var m = group.y * ITEMS; m < last; m++) {
    let at = m * params.entities + e;
    let counts = !LISTED || listed[at] != 0u;
    pair_mask[at] = select(0u, 1u, counts && choice(m, e) == EXPERT);
  }
}

@compute @workgroup_size(THREADS)
fn count_choices(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_index) thread: u32) {
  let m = row_of(group, groups, thread);
  let exists = m < params.mentions;
  let entities = select(0u, params.entities, exists);
  var chosen: array<f32, EXPERTS>;
  var without: array<f32, EXPERTS>;
  for (var e = thread % LANES; e < entities; e += LANES) {
    let choice_of_pair = choice(m, e);
    for (var i = 0u; i < EXPERTS; i++) {
      let one = select(0.0, 1.0, i == choice_of_pair);
      chosen[i] += one;
      without[i] += one * f32(has_no_image[e]);
    }
  }
  for (var i = 0u; i < EXPERTS; i++) {
    let all = across(chosen[i], thread, false);
    let bare = across(without[i], thread, false);
    if exists && thread % LANES == 0u {
      counts[m * 2u * EXPERTS + i] += u32(all);
      counts[(m * 2u + 1u) * EXPERTS + i] += u32(bare);
    }
  }
}
