// Made by `node shaders/generate.ts` from shaders/elementwise; do not edit.

export const elementwise = /** @type {const} */ ({
  'elementwise-binary': {
    code: /** @type {string} */ (`



const OP: u32 = 0u;
const DENSE: bool = false;
const ITEMS: u32 = 4u;




struct Params {
  n: u32,
  size_1: u32, size_2: u32, size_3: u32,
  a_0: u32, a_1: u32, a_2: u32, a_3: u32,
  b_0: u32, b_1: u32, b_2: u32, b_3: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn combine(p: f32, q: f32) -> f32 {
  switch OP {
    case 1u: { return p - q; }
    case 2u: { return p * q; }
    case 3u: { return p / q; }
    default: { return p + q; }
  }
}

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let first = linear_group(group, groups) * (64u * ITEMS) + lane;
  for (var item = 0u; item < ITEMS; item++) {
    let i = first + 64u * item;
    if i >= params.n { return; }
    if DENSE {
      y[i] = combine(a[i], b[i]);
    } else {
      let at = split_index(i, params.size_1, params.size_2, params.size_3);
      y[i] = combine(a[at.x * params.a_0 + at.y * params.a_1 + at.z * params.a_2 + at.w * params.a_3],
                     b[at.x * params.b_0 + at.y * params.b_1 + at.z * params.b_2 + at.w * params.b_3]);
    }
  }
}


@compute @workgroup_size(64)
fn add_into(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let first = linear_group(group, groups) * (64u * ITEMS) + lane;
  for (var item = 0u; item < ITEMS; item++) {
    let i = first + 64u * item;
    if i < params.n { y[i] += b[i]; }
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
    entries: {"forward":["a","b","y"],"add_into":["b","y"]},
    buffers: {"a":{"binding":1,"access":"read"},"b":{"binding":2,"access":"read"},"y":{"binding":3,"access":"read_write"}},
    params: {"n":"u32","size_1":"u32","size_2":"u32","size_3":"u32","a_0":"u32","a_1":"u32","a_2":"u32","a_3":"u32","b_0":"u32","b_1":"u32","b_2":"u32","b_3":"u32"},
    constants: {"OP":"u32","DENSE":"bool","ITEMS":"u32"},
  },
  'elementwise-unary': {
    code: /** @type {string} */ (`



const OP: u32 = 0u;
const ITEMS: u32 = 4u;




struct Params {
  n: u32,
  alpha: f32,
  beta: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

fn sigmoid(v: f32) -> f32 {
  return 1.0 / (1.0 + exp_of(-v));
}

fn apply(v: f32) -> f32 {
  switch OP {
    case 1u: { return exp_of(v); }
    case 2u: { return log(v); }
    case 3u: { return tanh_of(v); }
    case 4u: { return sigmoid(v); }
    case 5u: { return v * sigmoid(1.702 * v); }
    case 6u: { return select(v, params.alpha * v, v < 0.0); }
    case 7u: { return sqrt(v); }
    default: { return fma(params.alpha, v, params.beta); }
  }
}

fn derivative(v: f32) -> f32 {
  switch OP {
    case 1u: { return exp_of(v); }
    case 2u: { return 1.0 / v; }
    case 3u: { let t = apply(v); return 1.0 - t * t; }
    case 4u: { let s = sigmoid(v); return s * (1.0 - s); }
    case 5u: { let s = sigmoid(1.702 * v); return s * (1.0 + 1.702 * v * (1.0 - s)); }
    case 6u: { return select(params.alpha, 1.0, v > 0.0); }
    case 7u: { return 0.5 / sqrt(v); }
    default: { return params.alpha; }
  }
}

fn first_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * (64u * ITEMS) + lane;
}

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let first = first_index(group, groups, lane);
  for (var item = 0u; item < ITEMS; item++) {
    let i = first + 64u * item;
    if i < params.n { y[i] = apply(x[i]); }
  }
}

@compute @workgroup_size(64)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let first = first_index(group, groups, lane);
  for (var item = 0u; item < ITEMS; item++) {
    let i = first + 64u * item;
    if i < params.n { dx[i] = dy[i] * derivative(x[i]); }
  }
}






fn exp_of(v: f32) -> f32 {
  return select(exp(v), v, is_nan(v));
}


fn tanh_of(v: f32) -> f32 {
  return 1.0 - 2.0 / (exp_of(2.0 * v) + 1.0);
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
    entries: {"forward":["x","y"],"backward":["x","dy","dx"]},
    buffers: {"x":{"binding":1,"access":"read"},"y":{"binding":2,"access":"read_write"},"dy":{"binding":3,"access":"read"},"dx":{"binding":4,"access":"read_write"}},
    params: {"n":"u32","alpha":"f32","beta":"f32"},
    constants: {"OP":"u32","ITEMS":"u32"},
  },
  'random': {
    code: /** @type {string} */ (`







const KIND: u32 = 0u;
const WIDTH: u32 = 64u;



struct Params {
  n: u32,
  key_0: u32, key_1: u32,
  counter_0: u32, counter_1: u32, counter_2: u32, counter_3: u32,
  threshold: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> bits: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;


fn multiply(a: u32, b: u32) -> vec2u {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return vec2u((a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u), a * b);
}

fn philox(block: u32) -> vec4u {
  let low = params.counter_0 + block;
  var c = vec4u(low, params.counter_1 + select(0u, 1u, low < block), params.counter_2, params.counter_3);
  var k = vec2u(params.key_0, params.key_1);
  for (var round = 0u; round < 10u; round++) {
    let p = multiply(0xd2511f53u, c.x);
    let q = multiply(0xcd9e8d57u, c.z);
    c = vec4u(q.x ^ c.y ^ k.x, q.y, p.x ^ c.w ^ k.y, p.y);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}


fn unit(word: u32) -> f32 {
  return (f32(word >> 9u) + 0.5) * 1.1920929e-7;
}



fn exponential(u: f32) -> f32 {
  let t = 1.0 - u;
  let z = t / (2.0 - t);
  let s = z * z;
  let series = 2.0 * z * (1.0 + s * (1.0 / 3.0 + s * (0.2 + s * (1.0 / 7.0 + s * (1.0 / 9.0)))));
  return select(-log(u), series, t < 0.25);
}


fn normal_pair(a: u32, b: u32) -> vec2f {
  let angle = 6.2831853 * (unit(b) - 0.5);
  return params.factor * sqrt(2.0 * exponential(unit(a))) * vec2f(cos(angle), sin(angle));
}

fn shaped(words: vec4u) -> vec4u {
  switch KIND {
    case 1u: {
      return bitcast<vec4u>(vec4f(unit(words.x), unit(words.y), unit(words.z), unit(words.w)));
    }
    case 2u: {
      let e = vec4f(exponential(unit(words.x)), exponential(unit(words.y)), exponential(unit(words.z)),
                    exponential(unit(words.w)));
      return bitcast<vec4u>(-log(e));
    }
    case 3u: { return bitcast<vec4u>(vec4f(normal_pair(words.x, words.y), normal_pair(words.z, words.w))); }
    default: { return words; }
  }
}

@compute @workgroup_size(WIDTH)
fn generate(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let block = linear_group(group, groups) * WIDTH + lane;
  let i = 4u * block;
  if i >= params.n { return; }
  let values = shaped(philox(block));
  bits[i] = values.x;
  if i + 1u < params.n { bits[i + 1u] = values.y; }
  if i + 2u < params.n { bits[i + 2u] = values.z; }
  if i + 3u < params.n { bits[i + 3u] = values.w; }
}

@compute @workgroup_size(WIDTH)
fn dropout(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let block = linear_group(group, groups) * WIDTH + lane;
  let i = 4u * block;
  if i >= params.n { return; }
  let factors = select(vec4f(0.0), vec4f(params.factor), philox(block) >= vec4u(params.threshold));
  y[i] = x[i] * factors.x;
  if i + 1u < params.n { y[i + 1u] = x[i + 1u] * factors.y; }
  if i + 2u < params.n { y[i + 2u] = x[i + 2u] * factors.z; }
  if i + 3u < params.n { y[i + 3u] = x[i + 3u] * factors.w; }
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"generate":["bits"],"dropout":["x","y"]},
    buffers: {"bits":{"binding":1,"access":"read_write"},"x":{"binding":2,"access":"read"},"y":{"binding":3,"access":"read_write"}},
    params: {"n":"u32","key_0":"u32","key_1":"u32","counter_0":"u32","counter_1":"u32","counter_2":"u32","counter_3":"u32","threshold":"u32","factor":"f32"},
    constants: {"KIND":"u32","WIDTH":"u32"},
  },
  'straight-through': {
    code: /** @type {string} */ (`






const EXPERTS: u32 = 3u;
const NOISY: bool = true;




struct Params {
  rows: u32,
  inverse_tau: f32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pi: array<f32>;
@group(0) @binding(2) var<storage, read> noise: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;
@group(0) @binding(4) var<storage, read> dz: array<f32>;
@group(0) @binding(5) var<storage, read_write> dpi: array<f32>;

fn nan() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}


fn logarithm(v: f32) -> f32 {
  if is_nan(v) || v < 0.0 { return nan(); }
  if !is_finite(v) { return v; }
  var minus_infinity = 0xff800000u;
  if v == 0.0 { return bitcast<f32>(minus_infinity); }
  return log(v);
}

struct Row {
  logits: array<f32, EXPERTS>,
  best: u32,
  largest: f32,
  valid: bool,
}

fn load(base: u32) -> Row {
  var row: Row;
  row.valid = true;
  for (var j = 0u; j < EXPERTS; j++) {
    var logit = logarithm(pi[base + j] + params.eps);
    if NOISY { logit += noise[base + j]; }
    row.logits[j] = logit;
    row.valid = row.valid && !is_nan(logit);
    if j == 0u || logit > row.largest {
      row.largest = logit;
      row.best = j;
    }
  }
  row.valid = row.valid && is_finite(row.largest);
  return row;
}

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let index = linear_index(group, groups, lane);
  if index >= params.rows { return; }
  let row = load(index * EXPERTS);
  for (var j = 0u; j < EXPERTS; j++) {
    let hot = select(0.0, 1.0, j == row.best);
    z[index * EXPERTS + j] = select(nan(), hot, row.valid);
  }
}

@compute @workgroup_size(64)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let index = linear_index(group, groups, lane);
  if index >= params.rows { return; }
  let base = index * EXPERTS;
  let row = load(base);
  var soft: array<f32, EXPERTS>;
  var total = 0.0;
  var weighted = 0.0;
  for (var j = 0u; j < EXPERTS; j++) {
    soft[j] = exp((row.logits[j] - row.largest) * params.inverse_tau);
    total += soft[j];
    weighted += soft[j] * dz[base + j];
  }
  for (var j = 0u; j < EXPERTS; j++) {
    let dl = soft[j] / total * (dz[base + j] - weighted / total) * params.inverse_tau;
    dpi[base + j] = select(nan(), dl / (pi[base + j] + params.eps), row.valid);
  }
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
    entries: {"forward":["pi","noise","z"],"backward":["pi","noise","dz","dpi"]},
    buffers: {"pi":{"binding":1,"access":"read"},"noise":{"binding":2,"access":"read"},"z":{"binding":3,"access":"read_write"},"dz":{"binding":4,"access":"read"},"dpi":{"binding":5,"access":"read_write"}},
    params: {"rows":"u32","inverse_tau":"f32","eps":"f32"},
    constants: {"EXPERTS":"u32","NOISY":"bool"},
  },
});
