// y = a OP b with broadcasting. The host collapses the operands' shapes to four dimensions; an operand
// that is repeated along a dimension has stride 0 there. y is contiguous, n elements.
// A workgroup computes 64 * ITEMS consecutive outputs; an invocation takes every 64th of them. Where no index is split,
// they may be fours, and n counts those.

const OP: u32 = 0u; // 0 a + b, 1 a - b, 2 a * b, 3 a / b
const DENSE: bool = false; // both operands have y's shape: no index arithmetic
const RANK: u32 = 4u; // dimensions that count, the last ones: the others are 1
const ITEMS: u32 = 4u;

alias Element = f32; // or vec4f

// needs linear-index.wgsl
// needs split-index.wgsl

struct Params {
  n: u32,
  size_1: u32, size_2: u32, size_3: u32,
  a_0: u32, a_1: u32, a_2: u32, a_3: u32,
  b_0: u32, b_1: u32, b_2: u32, b_3: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<Element>;
@group(0) @binding(2) var<storage, read> b: array<Element>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;

fn combine(p: Element, q: Element) -> Element {
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
    } else if RANK <= 2u {
      let row = i / params.size_3;
      let column = i - row * params.size_3;
      y[i] = combine(a[row * params.a_2 + column * params.a_3], b[row * params.b_2 + column * params.b_3]);
    } else {
      let at = split_index(i, params.size_1, params.size_2, params.size_3);
      y[i] = combine(a[at.x * params.a_0 + at.y * params.a_1 + at.z * params.a_2 + at.w * params.a_3],
                     b[at.x * params.b_0 + at.y * params.b_1 + at.z * params.b_2 + at.w * params.b_3]);
    }
  }
}

// y += b, both n Elements: gradients of a tensor that is used more than once.
@compute @workgroup_size(64)
fn add_into(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let first = linear_group(group, groups) * (64u * ITEMS) + lane;
  for (var item = 0u; item < ITEMS; item++) {
    let i = first + 64u * item;
    if i < params.n { y[i] += b[i]; }
  }
}
