// Pooling of images: x [planes, H, W] -> y [planes, rows, columns], planes = images times channels. A
// workgroup computes one line of y (so that divisions, expensive on a CPU adapter, are done once a line); neighbouring
// invocations compute neighbouring columns.

// needs linear-index.wgsl
// needs numbers.wgsl

struct Params {
  lines: u32, // of y: planes times rows
  height: u32,
  width: u32,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

/** The larger; NaN if either is (max of WGSL may drop it). */
fn larger(a: f32, b: f32) -> f32 {
  return select(a, b, (b > a && !is_nan(a)) || is_nan(b));
}

// The largest of 2 x 2, stride 2; a last odd row or column is left out.
@compute @workgroup_size(32)
fn max_2x2(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let line = linear_group(group, groups);
  if line >= params.lines { return; }
  let upper = (line / params.rows * params.height + line % params.rows * 2u) * params.width;
  let lower = upper + params.width;
  for (var column = lane; column < params.columns; column += 32u) {
    let j = 2u * column;
    let top = larger(x[upper + j], x[upper + j + 1u]);
    y[line * params.columns + column] = larger(top, larger(x[lower + j], x[lower + j + 1u]));
  }
}

// The mean of rows floor(r H / rows) to ceil((r + 1) H / rows) - 1, and columns likewise.
@compute @workgroup_size(32)
fn adaptive_average(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                    @builtin(local_invocation_index) lane: u32) {
  let line = linear_group(group, groups);
  if line >= params.lines { return; }
  let row = line % params.rows;
  let first = line / params.rows * params.height;
  let top = row * params.height / params.rows;
  let bottom = ((row + 1u) * params.height + params.rows - 1u) / params.rows;
  for (var column = lane; column < params.columns; column += 32u) {
    let left = column * params.width / params.columns;
    let right = ((column + 1u) * params.width + params.columns - 1u) / params.columns;
    var total = 0.0;
    for (var r = top; r < bottom; r++) {
      for (var c = left; c < right; c++) { total += x[(first + r) * params.width + c]; }
    }
    y[line * params.columns + column] = total / f32((bottom - top) * (right - left));
  }
}
