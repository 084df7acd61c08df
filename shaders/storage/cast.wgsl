// y[i] = x[i] in another storage type, float32 to float16 or back; n elements. Float16 is read and written
// two at a time, as the 32-bit words that buffers are made of: no two invocations ever share a word. An
// invocation computes ITEMS pairs. Rounds to nearest; what is beyond float16 becomes infinite.

const ITEMS: u32 = 2u;

// needs linear-index.wgsl

struct Params {
  n: u32,
}

alias Half = f32; // f16 in use; a device without it never runs this kernel

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
