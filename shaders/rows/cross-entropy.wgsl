// Softmax cross-entropy against one target a row: logits x [rows, n], targets t [rows], dx [rows, n].
//   forward:   row_loss = log(sum exp(x - max)) - (x_t - max), over the columns that are candidates
//   backward:  dx = (softmax(x) - onehot(t)) dloss factor for candidates, 0 for the others;
//              factor = 1 / all rows
// With EXCLUDING, column i is no candidate of its row where excluded is not 0; an excluded target is
// infinitely unlikely. Targets are clamped into the row, so that no index leaves it.
// LANES invocations share a row, a workgroup computes ROWS rows: 1 x 8 on CPU adapters, up to 256 x 1 on GPUs.

const EXCLUDING: bool = false;

const LOWEST: f32 = -3.4028234e38;

// needs row-lanes.wgsl

struct Params {
  rows: u32,
  n: u32,
  factor: f32,
  infinity: f32, // WGSL has no literal for it
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<i32>;
@group(0) @binding(3) var<storage, read> excluded: array<i32>;
@group(0) @binding(4) var<storage, read_write> row_loss: array<f32>;
@group(0) @binding(5) var<storage, read_write> stats: array<f32>; // [rows, 2]: max, sum exp(x - max)
@group(0) @binding(6) var<storage, read> dloss: array<f32>; // [1]
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;

fn is_candidate(at: u32) -> bool {
  if !EXCLUDING { return true; }
  return excluded[at] == 0;
}

fn target_of(row: u32) -> u32 {
  return u32(clamp(targets[row], 0, i32(params.n) - 1));
}

@compute @workgroup_size(THREADS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);
  // Rows past the last are empty, so that all invocations reach the barriers.
  let n = select(0u, params.n, row < params.rows);
  let base = row * params.n;

  var own_top = LOWEST;
  for (var i = thread % LANES; i < n; i += LANES) {
    own_top = max(own_top, select(LOWEST, x[base + i], is_candidate(base + i)));
  }
  let top = across(own_top, thread, true);

  // max may drop a NaN; the exponentials restore it.
  var own_sum = 0.0;
  for (var i = thread % LANES; i < n; i += LANES) {
    own_sum += select(0.0, exp(x[base + i] - top), is_candidate(base + i));
  }
  let sum = across(own_sum, thread, false);

  if thread % LANES == 0u && row < params.rows {
    let at = base + target_of(row);
    row_loss[row] = select(params.infinity, log(sum) - (x[at] - top), is_candidate(at));
    stats[2u * row] = top;
    stats[2u * row + 1u] = sum;
  }
}

@compute @workgroup_size(THREADS)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);
  if row >= params.rows { return; }
  let base = row * params.n;
  let top = stats[2u * row];
  let scale = 1.0 / stats[2u * row + 1u];
  let gradient = dloss[0] * params.factor;
  let hit = target_of(row);
  for (var i = thread % LANES; i < params.n; i += LANES) {
    let p = exp(x[base + i] - top) * scale;
    dx[base + i] = select(0.0, gradient * (p - select(0.0, 1.0, i == hit)), is_candidate(base + i));
  }
}
