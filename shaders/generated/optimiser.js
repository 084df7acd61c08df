// Made by `node shaders/generate.ts` from shaders/optimiser; do not edit.

export const optimiser = /** @type {const} */ ({
  'adam': {
    code: /** @type {string} */ (`








const CLIP: bool = false;



struct Params {
  n: u32,
  keep_1: f32,
  beta_2: f32,
  keep_2: f32,
  step_size: f32,
  root_correction: f32,
  eps: f32,
  decay: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(2) var<storage, read> g: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(5) var<storage, read> norm: array<f32>;

@compute @workgroup_size(64)
fn step(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i >= params.n { return; }
  var gradient = g[i];
  if CLIP { gradient *= norm[1]; }
  let first = m[i] + params.keep_1 * (gradient - m[i]);
  let second = params.beta_2 * v[i] + params.keep_2 * gradient * gradient;
  let spread = sqrt(second) / params.root_correction + params.eps;
  m[i] = first;
  v[i] = second;
  p[i] = params.decay * p[i] - params.step_size * first / spread;
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"step":["p","g","m","v","norm"]},
    buffers: {"p":{"binding":1,"access":"read_write"},"g":{"binding":2,"access":"read"},"m":{"binding":3,"access":"read_write"},"v":{"binding":4,"access":"read_write"},"norm":{"binding":5,"access":"read"}},
    params: {"n":"u32","keep_1":"f32","beta_2":"f32","keep_2":"f32","step_size":"f32","root_correction":"f32","eps":"f32","decay":"f32"},
    constants: {"CLIP":"bool"},
  },
  'gradient-norm': {
    code: /** @type {string} */ (`





const LANES: u32 = 64u;
const ITEMS: u32 = 16u;



struct Params {
  n: u32,
  first: u32,
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




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"squares":["g","partials"],"finish":["partials","norm"]},
    buffers: {"g":{"binding":1,"access":"read"},"partials":{"binding":2,"access":"read_write"},"norm":{"binding":3,"access":"read_write"}},
    params: {"n":"u32","first":"u32","limit":"f32"},
    constants: {"LANES":"u32","ITEMS":"u32"},
  },
});
