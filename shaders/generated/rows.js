// Made by `node shaders/generate.ts` from shaders/rows; do not edit.

export const rows = /** @type {const} */ ({
  'cross-entropy': {
    code: /** @type {string} */ (`







const EXCLUDING: bool = false;

const LOWEST: f32 = -3.4028234e38;



struct Params {
  rows: u32,
  n: u32,
  factor: f32,
  infinity: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<i32>;
@group(0) @binding(3) var<storage, read> excluded: array<i32>;
@group(0) @binding(4) var<storage, read_write> row_loss: array<f32>;
@group(0) @binding(5) var<storage, read_write> stats: array<f32>;
@group(0) @binding(6) var<storage, read> dloss: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;

fn is_candidate(at: u32) -> bool {
  if !EXCLUDING { return true; }
  return excluded[at] == 0;
}

fn target_of(row: u32) -> u32 {
  return u32(clamp(targets[row], 0, i32(params.n) - 1));
}

@compute @workgroup_size(THREADS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);

  let n = select(0u, params.n, row < params.rows);
  let base = row * params.n;

  var own_top = LOWEST;
  for (var i = thread % LANES; i < n; i += LANES) {
    own_top = max(own_top, select(LOWEST, x[base + i], is_candidate(base + i)));
  }
  let top = across(own_top, thread, true);


  var own_sum = 0.0;
  for (var i = thread % LANES; i < n; i += LANES) {
    own_sum += select(0.0, exp(x[base + i] - top), is_candidate(base + i));
  }
  let sum = across(own_sum, thread, false);

  if thread % LANES == 0u && row < params.rows {
    let at = base + target_of(row);
    row_loss[row] = select(params.infinity, log(sum) - (x[at] - top), is_candidate(at));
    stats[2u * row] = top;
    stats[2u * row + 1u] = sum;
  }
}

@compute @workgroup_size(THREADS)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);
  if row >= params.rows { return; }
  let base = row * params.n;
  let top = stats[2u * row];
  let scale = 1.0 / stats[2u * row + 1u];
  let gradient = dloss[0] * params.factor;
  let hit = target_of(row);
  for (var i = thread % LANES; i < params.n; i += LANES) {
    let p = exp(x[base + i] - top) * scale;
    dx[base + i] = select(0.0, gradient * (p - select(0.0, 1.0, i == hit)), is_candidate(base + i));
  }
}





const LANES: u32 = 1u;
const ROWS: u32 = 8u;
const THREADS: u32 = LANES * ROWS;

var<workgroup> shared_values: array<f32, THREADS>;


fn row_of(group: vec3u, groups: vec3u, thread: u32) -> u32 {
  return linear_group(group, groups) * ROWS + thread / LANES;
}


fn across(v: f32, thread: u32, maximum: bool) -> f32 {
  if LANES == 1u { return v; }
  shared_values[thread] = v;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if thread % LANES < half {
      let a = shared_values[thread];
      let b = shared_values[thread + half];
      shared_values[thread] = select(a + b, max(a, b), maximum);
    }
    workgroupBarrier();
  }
  let result = shared_values[thread - thread % LANES];
  workgroupBarrier();
  return result;
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"forward":["x","targets","excluded","row_loss","stats"],"backward":["x","targets","excluded","stats","dloss","dx"]},
    buffers: {"x":{"binding":1,"access":"read"},"targets":{"binding":2,"access":"read"},"excluded":{"binding":3,"access":"read"},"row_loss":{"binding":4,"access":"read_write"},"stats":{"binding":5,"access":"read_write"},"dloss":{"binding":6,"access":"read"},"dx":{"binding":7,"access":"read_write"}},
    params: {"rows":"u32","n":"u32","factor":"f32","infinity":"f32"},
    constants: {"EXCLUDING":"bool","LOWEST":"f32","LANES":"u32","ROWS":"u32"},
  },
  'l2-normalize': {
    code: /** @type {string} */ (`





const KEEP: bool = true;



struct Params {
  rows: u32,
  n: u32,
  least: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;
@group(0) @binding(3) var<storage, read_write> lengths: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<Element>;
@group(0) @binding(5) var<storage, read_write> dx: array<Element>;

@compute @workgroup_size(THREADS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);

  let n = select(0u, params.n, row < params.rows);
  let base = row * params.n;
  var own = Element();
  for (var i = thread % LANES; i < n; i += LANES) {
    let v = x[base + i];
    own += v * v;
  }
  let length = sqrt(across(total(own), thread, false));

  let divisor = select(length, params.least, length < params.least);
  for (var i = thread % LANES; i < n; i += LANES) { y[base + i] = x[base + i] / divisor; }
  if KEEP && thread % LANES == 0u && row < params.rows { lengths[row] = length; }
}

@compute @workgroup_size(THREADS)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);
  let n = select(0u, params.n, row < params.rows);
  let base = row * params.n;
  var own = Element();
  for (var i = thread % LANES; i < n; i += LANES) { own += dy[base + i] * y[base + i]; }
  let along = across(total(own), thread, false);
  let length = lengths[min(row, params.rows - 1u)];
  let short = length < params.least;
  let removed = select(along, 0.0, short);
  let divisor = select(length, params.least, short);
  for (var i = thread % LANES; i < n; i += LANES) {
    dx[base + i] = (dy[base + i] - y[base + i] * removed) / divisor;
  }
}





alias Element = f32;
const SHARE: f32 = 0.25;


fn total(e: Element) -> f32 {
  return dot(vec4f(e), vec4f(SHARE));
}





const LANES: u32 = 1u;
const ROWS: u32 = 8u;
const THREADS: u32 = LANES * ROWS;

var<workgroup> shared_values: array<f32, THREADS>;


fn row_of(group: vec3u, groups: vec3u, thread: u32) -> u32 {
  return linear_group(group, groups) * ROWS + thread / LANES;
}


fn across(v: f32, thread: u32, maximum: bool) -> f32 {
  if LANES == 1u { return v; }
  shared_values[thread] = v;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if thread % LANES < half {
      let a = shared_values[thread];
      let b = shared_values[thread + half];
      shared_values[thread] = select(a + b, max(a, b), maximum);
    }
    workgroupBarrier();
  }
  let result = shared_values[thread - thread % LANES];
  workgroupBarrier();
  return result;
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"forward":["x","y","lengths"],"backward":["y","lengths","dy","dx"]},
    buffers: {"x":{"binding":1,"access":"read"},"y":{"binding":2,"access":"read_write"},"lengths":{"binding":3,"access":"read_write"},"dy":{"binding":4,"access":"read"},"dx":{"binding":5,"access":"read_write"}},
    params: {"rows":"u32","n":"u32","least":"f32"},
    constants: {"KEEP":"bool","SHARE":"f32","LANES":"u32","ROWS":"u32","Element":"type"},
  },
  'layer-norm': {
    code: /** @type {string} */ (`











const KEEP: bool = true;



struct Params {
  rows: u32,
  n: u32,
  scalars: f32,
  eps: f32,
  chunk: u32,
  chunks: u32,
  first_chunk: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> weight: array<Element>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read_write> y: array<Element>;
@group(0) @binding(5) var<storage, read_write> stats: array<f32>;
@group(0) @binding(6) var<storage, read> dy: array<Element>;
@group(0) @binding(7) var<storage, read_write> dx: array<Element>;
@group(0) @binding(8) var<storage, read_write> partial: array<Element>;
@group(0) @binding(9) var<storage, read_write> d_weight: array<Element>;
@group(0) @binding(10) var<storage, read_write> d_bias: array<Element>;

@compute @workgroup_size(THREADS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);

  let n = select(0u, params.n, row < params.rows);
  let base = row * params.n;

  var own_mean = Element();
  var own_squares = Element();
  var count = 0.0;
  for (var i = thread % LANES; i < n; i += LANES) {
    let v = x[base + i];
    let delta = v - own_mean;
    count += 1.0;
    own_mean += delta / count;
    own_squares += delta * (v - own_mean);
  }
  let mean = across(count * total(own_mean), thread, false) / params.scalars;
  let off = own_mean - mean;
  let variance = across(total(own_squares + count * off * off), thread, false) / params.scalars;
  let rstd = 1.0 / sqrt(variance + params.eps);

  for (var i = thread % LANES; i < n; i += LANES) {
    y[base + i] = (x[base + i] - mean) * rstd * weight[i] + bias[i];
  }
  if KEEP && thread % LANES == 0u && row < params.rows {
    stats[2u * row] = mean;
    stats[2u * row + 1u] = rstd;
  }
}

@compute @workgroup_size(THREADS)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);
  let n = select(0u, params.n, row < params.rows);
  let base = row * params.n;
  let at = 2u * min(row, params.rows - 1u);
  let mean = stats[at];
  let rstd = stats[at + 1u];

  var own_g = Element();
  var own_gh = Element();
  for (var i = thread % LANES; i < n; i += LANES) {
    let g = dy[base + i] * weight[i];
    own_g += g;
    own_gh += g * (x[base + i] - mean);
  }
  let mean_g = across(total(own_g), thread, false) / params.scalars;
  let mean_gh = across(total(own_gh), thread, false) / params.scalars * rstd;

  for (var i = thread % LANES; i < n; i += LANES) {
    let h = (x[base + i] - mean) * rstd;
    dx[base + i] = rstd * (dy[base + i] * weight[i] - mean_g - h * mean_gh);
  }
}

@compute @workgroup_size(64)
fn columns(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) thread: u32) {
  let i = linear_index(group, groups, thread);
  if i >= params.chunks * params.n { return; }
  let column = i % params.n;
  let chunk = i / params.n;
  let last = min((chunk + 1u) * params.chunk, params.rows);
  var sum_h = Element();
  var sum = Element();
  for (var row = chunk * params.chunk; row < last; row++) {
    let g = dy[row * params.n + column];
    sum_h += g * ((x[row * params.n + column] - stats[2u * row]) * stats[2u * row + 1u]);
    sum += g;
  }
  let to = 2u * (params.first_chunk + chunk) * params.n + column;
  partial[to] = sum_h;
  partial[to + params.n] = sum;
}

@compute @workgroup_size(64)
fn fold(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let column = group.x * 64u + thread;
  if column >= params.n { return; }
  var sum_h = Element();
  var sum = Element();
  for (var chunk = 0u; chunk < params.chunks; chunk++) {
    let at = 2u * chunk * params.n + column;
    sum_h += partial[at];
    sum += partial[at + params.n];
  }
  d_weight[column] = sum_h;
  d_bias[column] = sum;
}





alias Element = f32;
const SHARE: f32 = 0.25;


fn total(e: Element) -> f32 {
  return dot(vec4f(e), vec4f(SHARE));
}





const LANES: u32 = 1u;
const ROWS: u32 = 8u;
const THREADS: u32 = LANES * ROWS;

var<workgroup> shared_values: array<f32, THREADS>;


fn row_of(group: vec3u, groups: vec3u, thread: u32) -> u32 {
  return linear_group(group, groups) * ROWS + thread / LANES;
}


fn across(v: f32, thread: u32, maximum: bool) -> f32 {
  if LANES == 1u { return v; }
  shared_values[thread] = v;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if thread % LANES < half {
      let a = shared_values[thread];
      let b = shared_values[thread + half];
      shared_values[thread] = select(a + b, max(a, b), maximum);
    }
    workgroupBarrier();
  }
  let result = shared_values[thread - thread % LANES];
  workgroupBarrier();
  return result;
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"forward":["x","weight","bias","y","stats"],"backward":["x","weight","stats","dy","dx"],"columns":["x","stats","dy","partial"],"fold":["partial","d_weight","d_bias"]},
    buffers: {"x":{"binding":1,"access":"read"},"weight":{"binding":2,"access":"read"},"bias":{"binding":3,"access":"read"},"y":{"binding":4,"access":"read_write"},"stats":{"binding":5,"access":"read_write"},"dy":{"binding":6,"access":"read"},"dx":{"binding":7,"access":"read_write"},"partial":{"binding":8,"access":"read_write"},"d_weight":{"binding":9,"access":"read_write"},"d_bias":{"binding":10,"access":"read_write"}},
    params: {"rows":"u32","n":"u32","scalars":"f32","eps":"f32","chunk":"u32","chunks":"u32","first_chunk":"u32"},
    constants: {"KEEP":"bool","SHARE":"f32","LANES":"u32","ROWS":"u32","Element":"type"},
  },
  'reduce': {
    code: /** @type {string} */ (`



const WIDTH: u32 = 64u;



struct Params {
  outer: u32,
  n: u32,
  inner: u32,
  chunk: u32,
  chunks: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;


@compute @workgroup_size(64)
fn columns(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i >= params.outer * params.chunks * params.inner { return; }
  let column = i % params.inner;
  let row = i / params.inner;
  let first = (row % params.chunks) * params.chunk;
  let last = min(first + params.chunk, params.n);
  let base = (row / params.chunks) * params.n * params.inner + column;
  var total = 0.0;
  for (var j = first; j < last; j++) { total += x[base + j * params.inner]; }
  y[i] = params.scale * total;
}

var<workgroup> partial: array<f32, WIDTH>;


@compute @workgroup_size(WIDTH)
fn rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let row = linear_group(group, groups);
  var total = 0.0;
  if row < params.outer {
    for (var j = lane; j < params.n; j += WIDTH) { total += x[row * params.n + j]; }
  }
  partial[lane] = total;
  workgroupBarrier();
  for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
    if lane < half { partial[lane] += partial[lane + half]; }
    workgroupBarrier();
  }
  if lane == 0u && row < params.outer { y[row] = params.scale * partial[0]; }
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"columns":["x","y"],"rows":["x","y"]},
    buffers: {"x":{"binding":1,"access":"read"},"y":{"binding":2,"access":"read_write"}},
    params: {"outer":"u32","n":"u32","inner":"u32","chunk":"u32","chunks":"u32","scale":"f32"},
    constants: {"WIDTH":"u32"},
  },
  'softmax': {
    code: /** @type {string} */ (`








const MASKED: bool = false;

const LOWEST: f32 = -3.4028234e38;




struct Params {
  rows: u32,
  n: u32,
  first_row: u32,
  size_1: u32, size_2: u32, size_3: u32,
  stride_0: u32, stride_1: u32, stride_2: u32, stride_3: u32,
  step: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> mask: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;
@group(0) @binding(4) var<storage, read> dy: array<Element>;
@group(0) @binding(5) var<storage, read_write> dx: array<Element>;

fn largest(e: Element) -> f32 {
  let v = vec4f(e);
  return max(max(v.x, v.y), max(v.z, v.w));
}


fn exponential(e: Element) -> Element {
  let bits = bitcast<vec4u>(vec4f(e)) & vec4u(0x7fffffffu);
  return select(exp(e), e, any(bits > vec4u(0x7f800000u)));
}


fn mask_base(row: u32) -> u32 {
  if !MASKED { return 0u; }
  let at = split_index(params.first_row + row, params.size_1, params.size_2, params.size_3);
  return at.x * params.stride_0 + at.y * params.stride_1 + at.z * params.stride_2 + at.w * params.stride_3;
}

fn takes_part(base: u32, i: u32) -> bool {
  if !MASKED { return true; }
  return mask[base + i * params.step] != 0;
}

@compute @workgroup_size(THREADS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);

  let n = select(0u, params.n, row < params.rows);
  let base = row * params.n;
  let parts = mask_base(row);

  var own_top = Element(LOWEST);
  for (var i = thread % LANES; i < n; i += LANES) {
    own_top = max(own_top, select(Element(LOWEST), x[base + i], takes_part(parts, i)));
  }
  let top = across(largest(own_top), thread, true);


  var own_sum = Element();
  for (var i = thread % LANES; i < n; i += LANES) {
    own_sum += select(Element(), exponential(x[base + i] - top), takes_part(parts, i));
  }
  let scale = 1.0 / across(total(own_sum), thread, false);

  for (var i = thread % LANES; i < n; i += LANES) {
    y[base + i] = select(Element(), exponential(x[base + i] - top) * scale, takes_part(parts, i));
  }
}

@compute @workgroup_size(THREADS)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);
  let n = select(0u, params.n, row < params.rows);
  let base = row * params.n;
  var own = Element();
  for (var i = thread % LANES; i < n; i += LANES) { own += dy[base + i] * y[base + i]; }
  let sum = across(total(own), thread, false);
  for (var i = thread % LANES; i < n; i += LANES) { dx[base + i] = y[base + i] * (dy[base + i] - sum); }
}





alias Element = f32;
const SHARE: f32 = 0.25;


fn total(e: Element) -> f32 {
  return dot(vec4f(e), vec4f(SHARE));
}




fn split_index(i: u32, size_1: u32, size_2: u32, size_3: u32) -> vec4u {
  let above3 = i / size_3;
  let above2 = above3 / size_2;
  return vec4u(above2 / size_1, above2 % size_1, above3 % size_2, i % size_3);
}





const LANES: u32 = 1u;
const ROWS: u32 = 8u;
const THREADS: u32 = LANES * ROWS;

var<workgroup> shared_values: array<f32, THREADS>;


fn row_of(group: vec3u, groups: vec3u, thread: u32) -> u32 {
  return linear_group(group, groups) * ROWS + thread / LANES;
}


fn across(v: f32, thread: u32, maximum: bool) -> f32 {
  if LANES == 1u { return v; }
  shared_values[thread] = v;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if thread % LANES < half {
      let a = shared_values[thread];
      let b = shared_values[thread + half];
      shared_values[thread] = select(a + b, max(a, b), maximum);
    }
    workgroupBarrier();
  }
  let result = shared_values[thread - thread % LANES];
  workgroupBarrier();
  return result;
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"forward":["x","mask","y"],"backward":["y","dy","dx"]},
    buffers: {"x":{"binding":1,"access":"read"},"mask":{"binding":2,"access":"read"},"y":{"binding":3,"access":"read_write"},"dy":{"binding":4,"access":"read"},"dx":{"binding":5,"access":"read_write"}},
    params: {"rows":"u32","n":"u32","first_row":"u32","size_1":"u32","size_2":"u32","size_3":"u32","stride_0":"u32","stride_1":"u32","stride_2":"u32","stride_3":"u32","step":"u32"},
    constants: {"MASKED":"bool","LOWEST":"f32","SHARE":"f32","LANES":"u32","ROWS":"u32","Element":"type"},
  },
  'top-k': {
    code: /** @type {string} */ (`






const FIRST: bool = true;




struct Params {
  rows: u32,
  n: u32,
  chunks: u32,
  k: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> from_keys: array<u32>;
@group(0) @binding(3) var<storage, read> from_indices: array<u32>;
@group(0) @binding(4) var<storage, read_write> keys: array<u32>;
@group(0) @binding(5) var<storage, read_write> indices: array<u32>;
@group(0) @binding(6) var<storage, read_write> values: array<f32>;


fn sort_key(v: f32) -> u32 {
  let bits = bitcast<u32>(v);
  if is_nan(v) { return 0xffffffffu; }
  if bits == 0x80000000u { return bits; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn better(key: u32, index: u32, than_key: u32, than_index: u32) -> bool {
  return key > than_key || (key == than_key && index < than_index);
}


fn insert(base: u32, kept: u32, key: u32, index: u32) {
  var at = min(kept, params.k - 1u);
  while at > 0u {
    let before = base + at - 1u;
    if !better(key, index, keys[before], indices[before]) { break; }
    keys[before + 1u] = keys[before];
    indices[before + 1u] = indices[before];
    at--;
  }
  keys[base + at] = key;
  indices[base + at] = index;
}

@compute @workgroup_size(8)
fn partial_top_k(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_index) lane: u32) {
  let invocation = linear_group(group, groups) * 8u + lane;
  if invocation >= params.rows * params.chunks { return; }
  let row = invocation / params.chunks * params.n;
  let base = invocation * params.k;
  var kept = 0u;
  var least_key = 0u;
  var least_index = 0u;
  for (var i = invocation % params.chunks; i < params.n; i += params.chunks) {
    var key: u32;
    var index = i;
    if FIRST {
      key = sort_key(x[row + i]);
    } else {
      key = from_keys[row + i];
      index = from_indices[row + i];
    }
    if key == 0u || (kept == params.k && !better(key, index, least_key, least_index)) { continue; }
    insert(base, kept, key, index);
    kept = min(kept + 1u, params.k);
    least_key = keys[base + params.k - 1u];
    least_index = indices[base + params.k - 1u];
  }
  for (; kept < params.k; kept++) { keys[base + kept] = 0u; }
}


@compute @workgroup_size(64)
fn gather(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
          @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i >= params.rows * params.k { return; }
  values[i] = x[i / params.k * params.n + from_indices[i]];
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
    entries: {"partial_top_k":["x","from_keys","from_indices","keys","indices"],"gather":["x","from_indices","values"]},
    buffers: {"x":{"binding":1,"access":"read"},"from_keys":{"binding":2,"access":"read"},"from_indices":{"binding":3,"access":"read"},"keys":{"binding":4,"access":"read_write"},"indices":{"binding":5,"access":"read_write"},"values":{"binding":6,"access":"read_write"}},
    params: {"rows":"u32","n":"u32","chunks":"u32","k":"u32"},
    constants: {"FIRST":"bool"},
  },
});
