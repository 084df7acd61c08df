// Made by `node shaders/generate.ts` from shaders/ceilings; do not edit.

export const ceilings = /** @type {const} */ ({
  'ceiling-copy': {
    code: /** @type {string} */ (`




struct Params {
  count: u32,
}

const LANES: u32 = 8u;
const PER_LANE: u32 = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> destination: array<vec4f>;

@compute @workgroup_size(LANES)
fn copy(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * LANES * PER_LANE + lane;
  let end = min(params.count, (group.x + 1u) * LANES * PER_LANE);
  for (var i = first; i < end; i += LANES) {
    destination[i] = source[i];
  }
}
`),
    entries: {"copy":["source","destination"]},
    buffers: {"source":{"binding":1,"access":"read"},"destination":{"binding":2,"access":"read_write"}},
    params: {"count":"u32"},
    constants: {"LANES":"u32","PER_LANE":"u32"},
  },
  'ceiling-fma': {
    code: /** @type {string} */ (`




const LANES: u32 = 8u;

struct Params {
  steps: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(LANES)
fn multiply_add(@builtin(global_invocation_id) id: vec3u) {

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
`),
    entries: {"multiply_add":["x"]},
    buffers: {"x":{"binding":1,"access":"read_write"}},
    params: {"steps":"u32"},
    constants: {"LANES":"u32"},
  },
});
