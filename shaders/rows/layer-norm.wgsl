// LayerNorm over rows (Ba et al. 2016; PyTorch's layer_norm): x, y, dy, dx [rows, n]; weight, bias [n].
//   forward:   mean, var = those of the row (var over n), rstd = 1 / sqrt(var + eps),
//              y = (x - mean) rstd weight + bias
//   backward:  g = dy weight, h = (x - mean) rstd, dx = rstd (g - mean(g) - h mean(g h))
//   columns:   partial[c] = over the rows of chunk c: sum dy h, sum dy
//   fold:      d_weight, d_bias = sums of partial over c
// LANES invocations share a row, a workgroup computes ROWS rows: 1 x 8 on CPU adapters (a SIMD lane walks its
// row alone, weight and bias are loads of one address), up to 256 x 1 on GPUs. Mean and variance come from
// one reading by Welford's recurrence, which holds where the mean is large against the deviation.
// In columns and fold an invocation computes one element of the columns, so neighbours read neighbours.
// n counts Elements: vec4f where rows divide into them.

const KEEP: bool = true; // whether backward will want stats

// needs row-elements.wgsl

struct Params {
  rows: u32,
  n: u32,
  scalars: f32, // in a row
  eps: f32,
  chunk: u32, // rows that one chunk sums
  chunks: u32,
  first_chunk: u32, // where this dispatch's chunks stand in partial
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> weight: array<Element>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read_write> y: array<Element>;
@group(0) @binding(5) var<storage, read_write> stats: array<f32>; // [rows, 2]: mean, rstd
@group(0) @binding(6) var<storage, read> dy: array<Element>;
@group(0) @binding(7) var<storage, read_write> dx: array<Element>;
@group(0) @binding(8) var<storage, read_write> partial: array<Element>; // [chunks, 2, n]
@group(0) @binding(9) var<storage, read_write> d_weight: array<Element>;
@group(0) @binding(10) var<storage, read_write> d_bias: array<Element>;

@compute @workgroup_size(THREADS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);
  // Rows past the last are empty, so that all invocations reach the barriers.
  let n = select(0u, params.n, row < params.rows);
  let base = row * params.n;

  var own_mean = Element();
  var own_squares = Element();
  var count = 0.0;
  for (var i = thread % LANES; i < n; i += LANES) {
    let v = x[base + i];
    let delta = v - own_mean;
    count += 1.0;
    own_mean += delta / count;
    own_squares += delta * (v - own_mean);
  }
  let mean = across(count * total(own_mean), thread, false) / params.scalars;
  let off = own_mean - mean;
  let variance = across(total(own_squares + count * off * off), thread, false) / params.scalars;
  let rstd = 1.0 / sqrt(variance + params.eps);

  for (var i = thread % LANES; i < n; i += LANES) {
    y[base + i] = (x[base + i] - mean) * rstd * weight[i] + bias[i];
  }
  if KEEP && thread % LANES == 0u && row < params.rows {
    stats[2u * row] = mean;
    stats[2u * row + 1u] = rstd;
  }
}

@compute @workgroup_size(THREADS)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);
  let n = select(0u, params.n, row < params.rows);
  let base = row * params.n;
  let at = 2u * min(row, params.rows - 1u);
  let mean = stats[at];
  let rstd = stats[at + 1u];

  var own_g = Element();
  var own_gh = Element();
  for (var i = thread % LANES; i < n; i += LANES) {
    let g = dy[base + i] * weight[i];
    own_g += g;
    own_gh += g * (x[base + i] - mean);
  }
  let mean_g = across(total(own_g), thread, false) / params.scalars;
  let mean_gh = across(total(own_gh), thread, false) / params.scalars * rstd;

  for (var i = thread % LANES; i < n; i += LANES) {
    let h = (x[base + i] - mean) * rstd;
    dx[base + i] = rstd * (dy[base + i] * weight[i] - mean_g - h * mean_gh);
  }
}

@compute @workgroup_size(64)
fn columns(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) thread: u32) {
  let i = linear_index(group, groups, thread);
  if i >= params.chunks * params.n { return; }
  let column = i % params.n;
  let chunk = i / params.n;
  let last = min((chunk + 1u) * params.chunk, params.rows);
  var sum_h = Element();
  var sum = Element();
  for (var row = chunk * params.chunk; row < last; row++) {
    let g = dy[row * params.n + column];
    sum_h += g * ((x[row * params.n + column] - stats[2u * row]) * stats[2u * row + 1u]);
    sum += g;
  }
  let to = 2u * (params.first_chunk + chunk) * params.n + column;
  partial[to] = sum_h;
  partial[to + params.n] = sum;
}

@compute @workgroup_size(64)
fn fold(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let column = group.x * 64u + thread;
  if column >= params.n { return; }
  var sum_h = Element();
  var sum = Element();
  for (var chunk = 0u; chunk < params.chunks; chunk++) {
    let at = 2u * chunk * params.n + column;
    sum_h += partial[at];
    sum += partial[at + params.n];
  }
  d_weight[column] = sum_h;
  d_bias[column] = sum;
}
