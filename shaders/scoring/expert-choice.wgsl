// The gate at inference: of B <= 3 experts the one with the largest pi[m, e] = relu(u[m] + v[e]), the first of equals,
// scores the pair (equations 15 and 18). u [M, B]; v [E, B], or one row for all entities where STEP is 0.
//   choose: y[m, e] = scale[i] s_i[m, e] + offset[i] for the chosen i; an invocation owns an entity and ITEMS mentions
//   want:   wanted[m, e] = 1 where the chosen i is EXPERT, else 0; work as in choose
//   tally:  counts[m, i] += entities for which m has i chosen, counts[m, B + i] += those of them without an image;
//           LANES invocations share a mention, a workgroup owns ROWS mentions
// A gate that is not a number chooses expert 3, whose score is not a number either.

const STEP: u32 = 1u;
const ITEMS: u32 = 8u;
const EXPERT: u32 = 0u;

// needs row-lanes.wgsl

struct Params {
  mentions: u32,
  entities: u32,
  experts: u32, // B
  nan: f32, // no constant: WGSL refuses to write one
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> s_0: array<f32>;
@group(0) @binding(4) var<storage, read> s_1: array<f32>;
@group(0) @binding(5) var<storage, read> s_2: array<f32>;
@group(0) @binding(6) var<storage, read> calibration: array<f32>; // [2, B]: scales, offsets
@group(0) @binding(7) var<storage, read_write> y: array<f32>;
@group(0) @binding(8) var<storage, read> imageless: array<u32>; // [E], 1 without an image
@group(0) @binding(9) var<storage, read_write> counts: array<u32>; // [M, 2, B]
@group(0) @binding(10) var<storage, read_write> wanted: array<u32>; // [M, E]

fn choice(mention: u32, entity: u32) -> u32 {
  var best = 0u;
  var most = -1.0;
  var broken = false;
  for (var i = 0u; i < params.experts; i++) {
    let sum = u[mention * params.experts + i] + v[STEP * entity * params.experts + i];
    broken = broken || (bitcast<u32>(sum) & 0x7fffffffu) > 0x7f800000u;
    let pi = select(sum, 0.0, sum < 0.0);
    if pi > most {
      most = pi;
      best = i;
    }
  }
  return select(best, 3u, broken);
}

@compute @workgroup_size(64)
fn choose(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let e = group.x * 64u + lane;
  if e >= params.entities { return; }
  let last = min(params.mentions, (group.y + 1u) * ITEMS);
  for (var m = group.y * ITEMS; m < last; m++) {
    let at = m * params.entities + e;
    let i = choice(m, e);
    var score = params.nan;
    if i == 0u { score = s_0[at]; }
    if i == 1u { score = s_1[at]; }
    if i == 2u { score = s_2[at]; }
    let expert = min(i, params.experts - 1u);
    y[at] = calibration[expert] * score + calibration[params.experts + expert];
  }
}

@compute @workgroup_size(64)
fn want(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let e = group.x * 64u + lane;
  if e >= params.entities { return; }
  let last = min(params.mentions, (group.y + 1u) * ITEMS);
  for (var m = group.y * ITEMS; m < last; m++) {
    wanted[m * params.entities + e] = select(0u, 1u, choice(m, e) == EXPERT);
  }
}

@compute @workgroup_size(THREADS)
fn tally(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
         @builtin(local_invocation_index) thread: u32) {
  let m = (group.y * groups.x + group.x) * ROWS + thread / LANES;
  let exists = m < params.mentions;
  let entities = select(0u, params.entities, exists);
  var picked = vec3f();
  var without = vec3f();
  for (var e = thread % LANES; e < entities; e += LANES) {
    let one = vec3f(vec3u(choice(m, e)) == vec3u(0u, 1u, 2u));
    picked += one;
    without += one * f32(imageless[e]);
  }
  for (var i = 0u; i < params.experts; i++) {
    let all = across(picked[i], thread, false);
    let bare = across(without[i], thread, false);
    if exists && thread % LANES == 0u {
      counts[m * 2u * params.experts + i] += u32(all);
      counts[(m * 2u + 1u) * params.experts + i] += u32(bare);
    }
  }
}
