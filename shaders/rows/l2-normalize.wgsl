// Rows scaled to length 1 (PyTorch's normalize): x, y, dy, dx [rows, n].
//   forward:   y = x / max(|x|, floor), |x| = sqrt(sum x^2)
//   backward:  dx = (dy - y sum dy y) / |x|, where |x| < floor: dx = dy / floor
// LANES invocations share a row, a workgroup computes ROWS rows: 1 x 8 on CPU adapters (a SIMD lane walks its
// row alone), up to 256 x 1 on GPUs. n counts Elements: vec4f where rows divide into them.

const KEEP: bool = true; // whether backward will want lengths

// needs row-elements.wgsl

struct Params {
  rows: u32,
  n: u32,
  least: f32, // floor
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;
@group(0) @binding(3) var<storage, read_write> lengths: array<f32>; // [rows]: |x|
@group(0) @binding(4) var<storage, read> dy: array<Element>;
@group(0) @binding(5) var<storage, read_write> dx: array<Element>;

/**
 * Whether a length is under the floor: a NaN is not. By their bits, which have the order of the numbers from 0 on:
 * compilers may take max, and a comparison too, to be of numbers, and the floor would replace a NaN.
 */
fn is_short(length: f32) -> bool {
  return bitcast<u32>(length) < bitcast<u32>(params.least);
}

@compute @workgroup_size(THREADS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);
  // Rows past the last are empty, so that all invocations reach the barriers.
  let n = select(0u, params.n, row < params.rows);
  let base = row * params.n;
  var own = Element();
  for (var i = thread % LANES; i < n; i += LANES) {
    let v = x[base + i];
    own += v * v;
  }
  let length = sqrt(across(total(own), thread, false));
  let divisor = select(length, params.least, is_short(length));
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
  let short = is_short(length);
  let removed = select(along, 0.0, short);
  let divisor = select(length, params.least, short);
  for (var i = thread % LANES; i < n; i += LANES) {
    dx[base + i] = (dy[base + i] - y[base + i] * removed) / divisor;
  }
}
