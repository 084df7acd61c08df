// Measures what the adapter's arithmetic can do: multiply-adds on registers, no memory traffic. Each invocation
// carries 11 independent chains and does steps * 32 * 11 multiply-adds, two operations each. Fewer chains wait for
// their own latency; with more, llvmpipe's masked loop (old and new value of each chain live) spills at a third of
// the speed. Dispatch (groups, 1, 1) with x of at least max(16, 8 * groups) elements.

const LANES: u32 = 8u; // invocations a workgroup: a CPU adapter's vector; a GPU wants more

struct Params {
  steps: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(LANES)
fn multiply_add(@builtin(global_invocation_id) id: vec3u) {
  // Read, not written out: constants would be folded.
  let a = x[id.x & 7u];
  let b = x[8u + (id.x & 7u)];
  let start = f32(id.x);
  var c00 = start + 0.0; var c01 = start + 1.0; var c02 = start + 2.0; var c03 = start + 3.0;
  var c04 = start + 4.0; var c05 = start + 5.0; var c06 = start + 6.0; var c07 = start + 7.0;
  var c08 = start + 8.0; var c09 = start + 9.0; var c10 = start + 10.0;
  for (var step = 0u; step < params.steps; step++) {
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
    c00 = fma(c00, a, b); c01 = fma(c01, a, b); c02 = fma(c02, a, b); c03 = fma(c03, a, b);
    c04 = fma(c04, a, b); c05 = fma(c05, a, b); c06 = fma(c06, a, b); c07 = fma(c07, a, b);
    c08 = fma(c08, a, b); c09 = fma(c09, a, b); c10 = fma(c10, a, b);
  }
  x[id.x] = c00 + c01 + c02 + c03 + c04 + c05 + c06 + c07 + c08 + c09 + c10;
}
