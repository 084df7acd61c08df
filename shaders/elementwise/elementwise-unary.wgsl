// y[i] = f(x[i]) and its backward dx[i] = dy[i] f'(x[i]), for one f chosen by OP.
// x, y, dy, dx: n elements, any shape. A workgroup computes 64 * ITEMS consecutive elements; an invocation
// takes every 64th of them, so that neighbours read neighbouring words.

// 0 alpha x + beta, 1 exp, 2 log, 3 tanh, 4 sigmoid, 5 QuickGELU, 6 LeakyReLU with slope alpha, 7 sqrt, 8 GELU
const OP: u32 = 0u;
const ITEMS: u32 = 4u;

// needs exponential.wgsl
// needs gelu.wgsl
// needs linear-index.wgsl

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
    case 8u: { return gelu(v); }
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
    case 8u: { return gelu_derivative(v); }
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
