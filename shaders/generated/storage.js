// Made by `node shaders/generate.ts` from shaders/storage; do not edit.

export const storage = /** @type {const} */ ({
  'cast': {
    code: /** @type {string} */ (`



const ITEMS: u32 = 2u;



struct Params {
  n: u32,
}

alias Half = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x_single: array<f32>;
@group(0) @binding(2) var<storage, read_write> y_half: array<vec2<Half>>;
@group(0) @binding(3) var<storage, read> x_half: array<vec2<Half>>;
@group(0) @binding(4) var<storage, read_write> y_single: array<f32>;

fn pair_index(group: vec3u, groups: vec3u, lane: u32, item: u32) -> u32 {
  return (linear_group(group, groups) * ITEMS + item) * 64u + lane;
}

@compute @workgroup_size(64)
fn to_half(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  for (var item = 0u; item < ITEMS; item++) {
    let pair = pair_index(group, groups, lane, item);
    let i = 2u * pair;
    if i >= params.n { return; }
    var value = vec2f(x_single[i], 0.0);
    if i + 1u < params.n { value.y = x_single[i + 1u]; }
    y_half[pair] = vec2<Half>(value);
  }
}

@compute @workgroup_size(64)
fn to_single(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
             @builtin(local_invocation_index) lane: u32) {
  for (var item = 0u; item < ITEMS; item++) {
    let pair = pair_index(group, groups, lane, item);
    let i = 2u * pair;
    if i >= params.n { return; }
    let value = vec2f(x_half[pair]);
    y_single[i] = value.x;
    if i + 1u < params.n { y_single[i + 1u] = value.y; }
  }
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"to_half":["x_single","y_half"],"to_single":["x_half","y_single"]},
    buffers: {"x_single":{"binding":1,"access":"read"},"y_half":{"binding":2,"access":"read_write"},"x_half":{"binding":3,"access":"read"},"y_single":{"binding":4,"access":"read_write"}},
    params: {"n":"u32"},
    constants: {"ITEMS":"u32","Half":"type"},
  },
  'embedding': {
    code: /** @type {string} */ (`








struct Params {
  n: u32,
  d: u32,
  vocabulary: u32,
  window_first: u32,
  window_rows: u32,
  nan: f32,
}

alias Element = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ids: array<i32>;
@group(0) @binding(2) var<storage, read> table: array<Element>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> dtable: array<f32>;

@group(0) @binding(6) var<storage, read_write> head: array<u32>;
@group(0) @binding(7) var<storage, read_write> next: array<u32>;


@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(group, groups);
  if i >= params.n { return; }
  let id = bitcast<u32>(ids[i]);
  let row = id - params.window_first;
  if row < params.window_rows {
    for (var j = lane; j < params.d; j += 64u) { y[i * params.d + j] = f32(table[row * params.d + j]); }
  } else if id >= params.vocabulary && params.window_first == 0u {
    for (var j = lane; j < params.d; j += 64u) { y[i * params.d + j] = params.nan; }
  }
}


@compute @workgroup_size(1)
fn link_in_turn() {
  for (var i = params.n; i > 0u; i--) {
    let id = bitcast<u32>(ids[i - 1u]);
    if id < params.vocabulary {
      next[i - 1u] = head[id];
      head[id] = i;
    }
  }
}



@compute @workgroup_size(64)
fn link(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i >= params.n { return; }
  let id = ids[i];
  if bitcast<u32>(id) >= params.vocabulary { return; }
  var before = i;
  while before > 0u && ids[before - 1u] != id { before--; }
  if before == 0u { head[u32(id)] = i + 1u; }
  var after = i + 1u;
  while after < params.n && ids[after] != id { after++; }
  next[i] = select(0u, after + 1u, after < params.n);
}


@compute @workgroup_size(64)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(group, groups);
  if i >= params.n { return; }
  let id = bitcast<u32>(ids[i]);
  let row = id - params.window_first;
  if row >= params.window_rows || id >= params.vocabulary || head[id] != i + 1u { return; }
  for (var j = lane; j < params.d; j += 64u) {
    var total = 0.0;
    for (var at = i + 1u; at != 0u; at = next[at - 1u]) { total += dy[(at - 1u) * params.d + j]; }
    dtable[row * params.d + j] = total;
  }
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"forward":["ids","table","y"],"link_in_turn":["ids","head","next"],"link":["ids","head","next"],"backward":["ids","dy","dtable","head","next"]},
    buffers: {"ids":{"binding":1,"access":"read"},"table":{"binding":2,"access":"read"},"y":{"binding":3,"access":"read_write"},"dy":{"binding":4,"access":"read"},"dtable":{"binding":5,"access":"read_write"},"head":{"binding":6,"access":"read_write"},"next":{"binding":7,"access":"read_write"}},
    params: {"n":"u32","d":"u32","vocabulary":"u32","window_first":"u32","window_rows":"u32","nan":"f32"},
    constants: {"Element":"type"},
  },
  'half': {
    code: /** @type {string} */ (`





struct Params {
  n: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<u32>;
@group(0) @binding(3) var<storage, read> words: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;


fn half_bits(v: f32) -> u32 {
  let bits = bitcast<u32>(v);
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if is_nan(v) { return sign | 0x7e00u; }
  if magnitude >= 0x477ff000u { return sign | 0x7c00u; }
  if magnitude < 0x33000000u { return sign; }

  let exponent = i32(magnitude >> 23u) - 112;
  let is_normal = exponent > 0;
  let shift = u32(select(14 - exponent, 13, is_normal));
  let significand = select((magnitude & 0x7fffffu) | 0x800000u, magnitude - (112u << 23u), is_normal);
  let half = significand >> shift;
  let rest = significand & ((1u << shift) - 1u);
  let middle = 1u << (shift - 1u);
  let up = rest > middle || (rest == middle && (half & 1u) == 1u);
  return sign | (half + select(0u, 1u, up));
}

fn from_bits(half: u32) -> f32 {
  let sign = (half & 0x8000u) << 16u;
  let exponent = (half >> 10u) & 31u;
  let fraction = half & 1023u;
  if exponent == 0u {
    return bitcast<f32>(sign | bitcast<u32>(f32(fraction) * 5.9604644775390625e-8));
  }
  let wide = select(exponent + 112u, 255u, exponent == 31u);
  return bitcast<f32>(sign | (wide << 23u) | (fraction << 13u));
}

@compute @workgroup_size(64)
fn pack(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = 2u * linear_index(group, groups, lane);
  if i >= params.n { return; }
  let odd = i + 1u >= params.n;
  let second = select(x[select(i + 1u, i, odd)], 0.0, odd);
  packed[i / 2u] = half_bits(x[i]) | (half_bits(second) << 16u);
}

@compute @workgroup_size(64)
fn unpack(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
          @builtin(local_invocation_index) lane: u32) {
  let i = 2u * linear_index(group, groups, lane);
  if i >= params.n { return; }
  let word = words[i / 2u];
  y[i] = from_bits(word & 0xffffu);
  if i + 1u < params.n { y[i + 1u] = from_bits(word >> 16u); }
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}




fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}
`),
    entries: {"pack":["x","packed"],"unpack":["words","y"]},
    buffers: {"x":{"binding":1,"access":"read"},"packed":{"binding":2,"access":"read_write"},"words":{"binding":3,"access":"read"},"y":{"binding":4,"access":"read_write"}},
    params: {"n":"u32"},
    constants: {},
  },
  'int8-rows': {
    code: /** @type {string} */ (`




struct Params {
  n: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(2) var<storage, read> scales: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn unpack(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
          @builtin(local_invocation_index) lane: u32) {
  let i = 4u * linear_index(group, groups, lane);
  if i >= params.n { return; }
  let word = bitcast<i32>(words[i / 4u]);
  let four = vec4f(vec4i(word << 24u, word << 16u, word << 8u, word) >> vec4u(24u));
  let end = min(i + 4u, params.n);
  for (var j = i; j < end; j++) {
    y[j] = scales[j / params.width] * four[j - i];
  }
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"unpack":["words","scales","y"]},
    buffers: {"words":{"binding":1,"access":"read"},"scales":{"binding":2,"access":"read"},"y":{"binding":3,"access":"read_write"}},
    params: {"n":"u32","width":"u32"},
    constants: {},
  },
  'strided-copy': {
    code: /** @type {string} */ (`





alias Element = f32;
const ITEMS: u32 = 4u;




struct Params {
  n: u32,
  offset: u32,
  size_1: u32, size_2: u32, size_3: u32,
  stride_0: u32, stride_1: u32, stride_2: u32, stride_3: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;

fn position(i: u32) -> u32 {
  let at = split_index(i, params.size_1, params.size_2, params.size_3);
  return params.offset + at.x * params.stride_0 + at.y * params.stride_1 + at.z * params.stride_2 + at.w * params.stride_3;
}

@compute @workgroup_size(64)
fn gather(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
          @builtin(local_invocation_index) lane: u32) {
  let first = linear_group(group, groups) * (64u * ITEMS) + lane;
  for (var item = 0u; item < ITEMS; item++) {
    let i = first + 64u * item;
    if i < params.n { y[i] = x[position(i)]; }
  }
}

@compute @workgroup_size(64)
fn scatter(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let first = linear_group(group, groups) * (64u * ITEMS) + lane;
  for (var item = 0u; item < ITEMS; item++) {
    let i = first + 64u * item;
    if i < params.n { y[position(i)] = x[i]; }
  }
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}




fn split_index(i: u32, size_1: u32, size_2: u32, size_3: u32) -> vec4u {
  let above3 = i / size_3;
  let above2 = above3 / size_2;
  return vec4u(above2 / size_1, above2 % size_1, above3 % size_2, i % size_3);
}
`),
    entries: {"gather":["x","y"],"scatter":["x","y"]},
    buffers: {"x":{"binding":1,"access":"read"},"y":{"binding":2,"access":"read_write"}},
    params: {"n":"u32","offset":"u32","size_1":"u32","size_2":"u32","size_3":"u32","stride_0":"u32","stride_1":"u32","stride_2":"u32","stride_3":"u32"},
    constants: {"ITEMS":"u32","Element":"type"},
  },
});
