// How kernels that work along rows share them out: LANES invocations share a row, a workgroup computes ROWS rows.

// needs linear-index.wgsl

const LANES: u32 = 1u;
const ROWS: u32 = 8u;
const THREADS: u32 = LANES * ROWS;

var<workgroup> shared_values: array<f32, THREADS>;

/** The row of an invocation; there may be fewer rows. */
fn row_of(group: vec3u, groups: vec3u, thread: u32) -> u32 {
  return linear_group(group, groups) * ROWS + thread / LANES;
}

// The sum, or the maximum, over the lanes of a row, in every one of them.
fn across(v: f32, thread: u32, maximum: bool) -> f32 {
  if LANES == 1u { return v; }
  shared_values[thread] = v;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if thread % LANES < half {
      let a = shared_values[thread];
      let b = shared_values[thread + half];
      shared_values[thread] = select(a + b, max(a, b), maximum);
    }
    workgroupBarrier();
  }
  let result = shared_values[thread - thread % LANES];
  workgroupBarrier();
  return result;
}
