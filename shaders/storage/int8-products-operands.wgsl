// What the kernels of products with rows in int8 share:
//   products[m, at + r] = scales[first + r] sum_d queries[m, d] x[first + r, d]
// for rows r < count. x [R, width], two's complement, four a word, each row from a word of its own on, its last word filled
// up with zeros; scales [R]; queries [M, width]; products [M, stride], of which other columns stay as they are.

// needs linear-index.wgsl

struct Params {
  mentions: u32, // M
  first: u32,
  count: u32,
  at: u32,
  stride: u32,
  width: u32,
  words: u32,    // of a row
  run: u32,      // rows that a workgroup computes
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>;
@group(0) @binding(2) var<storage, read> words: array<u32>;
@group(0) @binding(3) var<storage, read> scales: array<f32>;
@group(0) @binding(4) var<storage, read_write> products: array<f32>;

fn numbers_of(word: u32) -> vec4f {
  let signed = bitcast<i32>(word);
  return vec4f(vec4i(signed << 24u, signed << 16u, signed << 8u, signed) >> vec4u(24u));
}

/** Four features of a query from feature d on; 0 beyond the last, and of a mention that is none. */
fn query_four(mention: u32, d: u32) -> vec4f {
  let base = mention * params.width;
  var four = vec4f();
  for (var i = 0u; i < 4u; i++) {
    if mention < params.mentions && d + i < params.width { four[i] = queries[base + d + i]; }
  }
  return four;
}
