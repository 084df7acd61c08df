// The recurrent part of an LSTM (Hochreiter and Schmidhuber 1997; gates as torch.nn.LSTM's), all steps in one dispatch.
// The part that depends on the input alone is done before: projected = x W_ih^T + b_ih + b_hh [B, L, 4 H], gates i, f, g, o
// one after the other. With z = projected_t + W_hh h:
//   i, f, o = sigmoid(z_i, z_f, z_o), g = tanh(z_g), c' = f c + i g, h' = o tanh(c')
// A step that mask [B, L] leaves out changes nothing, whatever stands there. `last` [B, H] is h after all steps.
//   backward:  from d last, through the steps in the other order: dz = d projected, and with it dh += W_hh^T dz.
//
// A workgroup owns 4 sequences, the components of a vec4f, so that a weight is loaded once for all four, and walks over the
// steps; LANES invocations share the hidden units, UNITS each, every LANES-th. What is carried from step to step (c, or the
// gradients of c and h) stays in the registers of who owns the unit; what all need of all (h, or dz) meets in workgroup
// memory. The backward takes the units in rounds of LANES, so that its memory does not grow with H. Weights come with the
// four gates of a unit side by side: forward weight[k H + u], backward weight[u H + k], both W_hh[gate H + u, k]; so
// neighbours read neighbours. Sums are sequential: same bits always. Kept for the backward: gates and c before each step by
// groups of 4 sequences, and h before each step as [B, L, H], which with dz gives d W_hh as one matrix product.

// needs exponential.wgsl
// needs linear-index.wgsl

const LANES: u32 = 32u;
const UNITS: u32 = 1u;   // LANES UNITS is at least H
const KEEP: bool = true; // whether there will be a backward

struct Params {
  rows: u32,    // B
  length: u32,  // L
  hidden: u32,  // H
  reverse: u32, // 1 where the steps go from the last to the first
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> projected: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> mask: array<i32>;
@group(0) @binding(4) var<storage, read_write> last: array<f32>;
@group(0) @binding(5) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> cell_before: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> hidden_before: array<f32>;
@group(0) @binding(8) var<storage, read> d_last: array<f32>;
@group(0) @binding(9) var<storage, read_write> d_projected: array<f32>;

const WIDTH = LANES * UNITS;

var<workgroup> hidden: array<vec4f, WIDTH>;
var<workgroup> d_gates: array<mat4x4f, LANES>;

/** A number for each unit of an invocation and each sequence. */
alias Own = array<vec4f, UNITS>;

fn sigmoid(v: vec4f) -> vec4f {
  return 1.0 / (1.0 + vec4f(exp_of(-v.x), exp_of(-v.y), exp_of(-v.z), exp_of(-v.w)));
}

fn tanh_four(v: vec4f) -> vec4f {
  return vec4f(tanh_of(v.x), tanh_of(v.y), tanh_of(v.z), tanh_of(v.w));
}

/** Which of the four sequences from `row` on have a real token at t. */
fn real_at(row: u32, t: u32) -> vec4<bool> {
  var real = vec4<bool>();
  for (var r = 0u; r < 4u; r++) {
    real[r] = row + r < params.rows && mask[min(row + r, params.rows - 1u) * params.length + t] != 0;
  }
  return real;
}

/** projected of a unit's gate at t, by sequence. */
fn projected_at(row: u32, t: u32, column: u32) -> vec4f {
  let stride = params.length * 4u * params.hidden;
  let at = t * 4u * params.hidden + column;
  let end = params.rows - 1u;
  return vec4f(
    projected[row * stride + at],
    projected[min(row + 1u, end) * stride + at],
    projected[min(row + 2u, end) * stride + at],
    projected[min(row + 3u, end) * stride + at],
  );
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let index = linear_group(group, groups);
  let row = 4u * index;
  if row >= params.rows { return; }
  let H = params.hidden;
  var cell = Own();
  var own = Own();
  for (var q = 0u; q < UNITS; q++) { hidden[lane + q * LANES] = vec4f(); }
  workgroupBarrier();

  for (var step = 0u; step < params.length; step++) {
    let t = select(step, params.length - 1u - step, params.reverse != 0u);
    let real = real_at(row, t);
    for (var q = 0u; q < UNITS; q++) {
      let u = lane + q * LANES;
      if u >= H { continue; }
      if KEEP {
        for (var r = 0u; r < min(4u, params.rows - row); r++) {
          hidden_before[((row + r) * params.length + t) * H + u] = own[q][r];
        }
      }
      if !any(real) { continue; }
      var i = projected_at(row, t, u);
      var f = projected_at(row, t, H + u);
      var g = projected_at(row, t, 2u * H + u);
      var o = projected_at(row, t, 3u * H + u);
      for (var k = 0u; k < H; k++) {
        let w = weight[k * H + u];
        let h = hidden[k];
        i += w.x * h;
        f += w.y * h;
        g += w.z * h;
        o += w.w * h;
      }
      i = sigmoid(i);
      f = sigmoid(f);
      g = tanh_four(g);
      o = sigmoid(o);
      let c = f * cell[q] + i * g;
      if KEEP {
        let at = (index * params.length + t) * H + u;
        gates[4u * at] = i;
        gates[4u * at + 1u] = f;
        gates[4u * at + 2u] = g;
        gates[4u * at + 3u] = o;
        cell_before[at] = cell[q];
      }
      own[q] = select(own[q], o * tanh_four(c), real);
      cell[q] = select(cell[q], c, real);
    }
    workgroupBarrier();
    for (var q = 0u; q < UNITS; q++) { hidden[lane + q * LANES] = own[q]; }
    workgroupBarrier();
  }
  for (var q = 0u; q < UNITS; q++) {
    let u = lane + q * LANES;
    if u >= H { continue; }
    for (var r = 0u; r < min(4u, params.rows - row); r++) { last[(row + r) * H + u] = own[q][r]; }
  }
}

@compute @workgroup_size(LANES)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let index = linear_group(group, groups);
  let row = 4u * index;
  if row >= params.rows { return; }
  let H = params.hidden;
  let sequences = min(4u, params.rows - row);
  var dh = Own();
  var dc = Own();
  for (var q = 0u; q < UNITS; q++) {
    let u = lane + q * LANES;
    if u >= H { continue; }
    for (var r = 0u; r < sequences; r++) { dh[q][r] = d_last[(row + r) * H + u]; }
  }

  for (var step = 0u; step < params.length; step++) {
    let t = select(params.length - 1u - step, step, params.reverse != 0u);
    let real = real_at(row, t);
    var dh_before = Own();
    for (var q = 0u; q < UNITS; q++) {
      let u = lane + q * LANES;
      var dz = mat4x4f();
      if u < H {
        if any(real) {
          let at = (index * params.length + t) * H + u;
          let i = gates[4u * at];
          let f = gates[4u * at + 1u];
          let g = gates[4u * at + 2u];
          let o = gates[4u * at + 3u];
          let before = cell_before[at];
          let c = tanh_four(f * before + i * g);
          let d = dc[q] + dh[q] * o * (1.0 - c * c);
          let none = vec4f();
          dz = mat4x4f(
            select(none, d * g * i * (1.0 - i), real),
            select(none, d * before * f * (1.0 - f), real),
            select(none, d * i * (1.0 - g * g), real),
            select(none, dh[q] * c * o * (1.0 - o), real),
          );
          dc[q] = select(dc[q], d * f, real);
        }
        for (var r = 0u; r < sequences; r++) {
          let at = ((row + r) * params.length + t) * 4u * H + u;
          for (var gate = 0u; gate < 4u; gate++) { d_projected[at + gate * H] = dz[gate][r]; }
        }
      }
      d_gates[lane] = dz;
      workgroupBarrier();
      if any(real) {
        let first = q * LANES;
        let count = min(LANES, H - min(H, first));
        for (var own = 0u; own < UNITS; own++) {
          let k = min(lane + own * LANES, H - 1u);
          var sum = dh_before[own];
          for (var i = 0u; i < count; i++) { sum += d_gates[i] * weight[(first + i) * H + k]; }
          dh_before[own] = sum;
        }
      }
      workgroupBarrier();
    }
    for (var q = 0u; q < UNITS; q++) { dh[q] = select(dh[q], dh_before[q], real); }
  }
}
