// Softmax over rows: x, y, dy, dx [rows, n].
//   forward:   y = exp(x - max) / sum exp(x - max) over the elements that take part, 0 elsewhere
//   backward:  dx = y (dy - sum dy y)
// With MASKED, element i of a row takes part where mask is not 0; the mask is walked with strides over up to
// four leading dimensions (0 where it repeats) and `step` along the row. A row without any part is all zeros.
// LANES invocations share a row, a workgroup computes ROWS rows: 1 x 8 on CPU adapters (a SIMD lane walks its
// row alone), up to 256 x 1 on GPUs. The exponentials are computed twice: keeping them in private or storage
// memory was no faster. n counts Elements: vec4f where rows divide into them.

const MASKED: bool = false; // with Element = f32 only

const LOWEST: f32 = -3.4028234e38;

// needs row-elements.wgsl
// needs split-index.wgsl

struct Params {
  rows: u32,
  n: u32,
  first_row: u32, // of this dispatch in the whole tensor, for the mask
  size_1: u32, size_2: u32, size_3: u32,
  stride_0: u32, stride_1: u32, stride_2: u32, stride_3: u32,
  step: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> mask: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;
@group(0) @binding(4) var<storage, read> dy: array<Element>;
@group(0) @binding(5) var<storage, read_write> dx: array<Element>;

fn largest(e: Element) -> f32 {
  let v = vec4f(e);
  return max(max(v.x, v.y), max(v.z, v.w));
}

// exp, whose NaN some drivers turn into a number. One NaN yields its element back as it is: the row is lost anyway.
fn exponential(e: Element) -> Element {
  let bits = bitcast<vec4u>(vec4f(e)) & vec4u(0x7fffffffu);
  return select(exp(e), e, any(bits > vec4u(0x7f800000u)));
}

// Where a row's mask begins.
fn mask_base(row: u32) -> u32 {
  if !MASKED { return 0u; }
  let at = split_index(params.first_row + row, params.size_1, params.size_2, params.size_3);
  return at.x * params.stride_0 + at.y * params.stride_1 + at.z * params.stride_2 + at.w * params.stride_3;
}

fn takes_part(base: u32, i: u32) -> bool {
  if !MASKED { return true; }
  return mask[base + i * params.step] != 0;
}

@compute @workgroup_size(THREADS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);
  // Rows past the last are empty, so that all invocations reach the barriers.
  let n = select(0u, params.n, row < params.rows);
  let base = row * params.n;
  let parts = mask_base(row);

  var own_top = Element(LOWEST);
  for (var i = thread % LANES; i < n; i += LANES) {
    own_top = max(own_top, select(Element(LOWEST), x[base + i], takes_part(parts, i)));
  }
  let top = across(largest(own_top), thread, true);

  // max may drop a NaN; the exponentials restore it.
  var own_sum = Element();
  for (var i = thread % LANES; i < n; i += LANES) {
    own_sum += select(Element(), exponential(x[base + i] - top), takes_part(parts, i));
  }
  let scale = 1.0 / across(total(own_sum), thread, false);

  for (var i = thread % LANES; i < n; i += LANES) {
    y[base + i] = select(Element(), exponential(x[base + i] - top) * scale, takes_part(parts, i));
  }
}

@compute @workgroup_size(THREADS)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) thread: u32) {
  let row = row_of(group, groups, thread);
  let n = select(0u, params.n, row < params.rows);
  let base = row * params.n;
  var own = Element();
  for (var i = thread % LANES; i < n; i += LANES) { own += dy[base + i] * y[base + i]; }
  let sum = across(total(own), thread, false);
  for (var i = thread % LANES; i < n; i += LANES) { dx[base + i] = y[base + i] * (dy[base + i] - sum); }
}
