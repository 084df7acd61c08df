// One step of Adam with decoupled weight decay over a flat buffer, as torch.optim.AdamW (Kingma and Ba 2015;
// Loshchilov and Hutter 2019):
//   p = decay p, m += (1 - beta1) (g - m), v = beta2 v + (1 - beta2) g^2,
//   p -= step_size m / (sqrt(v) / root_correction + eps)
// with decay = 1 - lr weightDecay, step_size = lr / (1 - beta1^t), root_correction = sqrt(1 - beta2^t) from
// the host, in double. p, g, m, v: n groups of four elements; norm = [norm, clipping scale] of
// gradient-norm.wgsl.
// An invocation computes a group of four: the work is all memory traffic. There is no backward.

const CLIP: bool = false; // multiply the gradients by the scale in norm[1]

// needs linear-index.wgsl

struct Params {
  n: u32,
  keep_1: f32, // 1 - beta1
  beta_2: f32,
  keep_2: f32, // 1 - beta2
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
