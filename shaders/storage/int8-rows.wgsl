// Rows of numbers stored in 8 bits with a scale a row, back to f32: y[r, d] = scales[r] q[r, d]. words: the numbers of all
// rows one after the other, four a word, as two's complement. An invocation unpacks one
// word, its neighbour the next.

// needs linear-index.wgsl

struct Params {
  n: u32,     // numbers
  width: u32, // of a row
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(2) var<storage, read> scales: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn unpack(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
          @builtin(local_invocation_index) lane: u32) {
  let i = 4u * linear_index(group, groups, lane);
  if i >= params.n { return; }
  let word = bitcast<i32>(words[i / 4u]);
  let four = vec4f(vec4i(word << 24u, word << 16u, word << 8u, word) >> vec4u(24u));
  let end = min(i + 4u, params.n);
  for (var j = i; j < end; j++) {
    y[j] = scales[j / params.width] * four[j - i];
  }
}
