// Moves elements between a contiguous tensor of n elements and a strided one: transposes, slices,
// concatenation and broadcasting. Index i of the contiguous side, split over the four sizes, meets
// position offset + sum(i_d * stride_d) of the strided side.
//   gather:  y[i] = x[position(i)]      scatter:  y[position(i)] = x[i]
// A workgroup computes 64 * ITEMS consecutive i; an invocation takes every 64th of them.

alias Element = f32;
const ITEMS: u32 = 4u;

// needs linear-index.wgsl
// needs split-index.wgsl

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
