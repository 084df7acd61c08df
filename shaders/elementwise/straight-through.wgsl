// Straight-through Gumbel-softmax over rows of EXPERTS numbers: with l = log(pi + eps) + noise,
//   forward:  z = one-hot(argmax l), the first of equals
//   backward: that of p = softmax(l / tau): dl = p (dz - sum(p dz)) / tau, dpi = dl / (pi + eps)
// pi, noise, z, dz, dpi: [rows, EXPERTS]. A row whose softmax is not a number (a NaN or +infinity in l, or
// nothing but -infinity) yields NaN throughout, as in PyTorch. An invocation computes one row: it fits into
// registers, and nothing passes between invocations.

const EXPERTS: u32 = 3u;
const NOISY: bool = true; // whether there is noise

// needs linear-index.wgsl
// needs numbers.wgsl

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
  var bits = 0x7fc00000u; // a variable: a constant NaN is an error in WGSL
  return bitcast<f32>(bits);
}

// Drivers may do as they like with the logarithm of what is not positive; here it is IEEE's.
fn logarithm(v: f32) -> f32 {
  if is_nan(v) || v < 0.0 { return nan(); }
  if !is_finite(v) { return v; }
  var minus_infinity = 0xff800000u; // a variable, as in nan()
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
