// Cuts images into square patches: pixels [B, C, H, W] -> patches [B, rows * columns, C * P * P], each
// patch in the order channel, y, x of a convolution's weight; and the way back, where pixels beyond the last
// whole patch get 0. rows = H / P and columns = W / P, rounded down. Each output element has its own
// invocation; neighbours compute neighbouring elements.

// needs linear-index.wgsl

struct Params {
  n: u32, // elements of the output
  channels: u32,
  height: u32,
  width: u32,
  rows: u32, // patches
  columns: u32,
  size: u32, // P
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pixels: array<f32>;
@group(0) @binding(2) var<storage, read_write> patches: array<f32>;
@group(0) @binding(3) var<storage, read> d_patches: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_pixels: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i >= params.n { return; }
  let p = params.size;
  let x = i % p;
  let y = i / p % p;
  let channel = i / (p * p) % params.channels;
  let at = i / (p * p * params.channels);
  let column = at % params.columns;
  let row = at / params.columns % params.rows;
  let image = at / (params.columns * params.rows);
  let line = (image * params.channels + channel) * params.height + row * p + y;
  patches[i] = pixels[line * params.width + column * p + x];
}

@compute @workgroup_size(64)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i >= params.n { return; }
  let p = params.size;
  let x = i % params.width;
  let y = i / params.width % params.height;
  let channel = i / (params.width * params.height) % params.channels;
  let image = i / (params.width * params.height * params.channels);
  let column = x / p;
  let row = y / p;
  var value = 0.0;
  if column < params.columns && row < params.rows {
    let at = (image * params.rows + row) * params.columns + column;
    value = d_patches[((at * params.channels + channel) * p + y % p) * p + x % p];
  }
  d_pixels[i] = value;
}
