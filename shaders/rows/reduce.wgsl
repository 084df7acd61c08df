// Sums over the middle axis: x [outer, n, inner] -> y [outer, chunks, inner], y = scale * the sum of the
// chunk's share of n. One chunk yields the sum itself; several yield partial sums for a second dispatch, so
// that few long columns still fill the device. Sums are sequential within an invocation: same bits always.

const WIDTH: u32 = 64u; // invocations that share one chunk of a row in `rows`
alias Element = f32; // in `columns` also vec4f: four neighbouring columns, which inner counts as one

// needs linear-index.wgsl

struct Params {
  outer: u32,
  n: u32,
  inner: u32,
  chunk: u32, // elements of n that one chunk sums
  chunks: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;

// An invocation computes one output; neighbours compute neighbouring columns.
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
  var total = Element();
  for (var j = first; j < last; j++) { total += x[base + j * params.inner]; }
  y[i] = params.scale * total;
}

var<workgroup> partial: array<Element, WIDTH>;

// inner = 1: a workgroup computes one chunk of a row and halves its partial sums in workgroup memory.
@compute @workgroup_size(WIDTH)
fn rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(group, groups);
  let row = i / params.chunks;
  let first = (i % params.chunks) * params.chunk;
  var total = Element();
  if row < params.outer {
    let last = min(first + params.chunk, params.n);
    for (var j = first + lane; j < last; j += WIDTH) { total += x[row * params.n + j]; }
  }
  partial[lane] = total;
  workgroupBarrier();
  for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
    if lane < half { partial[lane] += partial[lane + half]; }
    workgroupBarrier();
  }
  if lane == 0u && row < params.outer { y[i] = params.scale * partial[0]; }
}
