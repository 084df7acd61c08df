// Products of queries with rows in int8, for any device. An invocation computes a row with MENTIONS mentions, so that what it
// unpacks counts for all of them; neighbours compute neighbouring rows.

// needs int8-products-operands.wgsl

const MENTIONS: u32 = 8u;

@compute @workgroup_size(64)
fn int8_products(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let r = group.x * 64u + lane;
  if r >= params.count { return; }
  let row = params.first + r;
  let mention = group.y * MENTIONS;
  var sums = array<f32, MENTIONS>();
  for (var w = 0u; w < params.words; w++) {
    let four = numbers_of(words[row * params.words + w]);
    for (var m = 0u; m < MENTIONS; m++) {
      sums[m] += dot(four, query_four(mention + m, 4u * w));
    }
  }
  for (var m = 0u; m < MENTIONS; m++) {
    if mention + m < params.mentions {
      products[(mention + m) * params.stride + params.at + r] = scales[row] * sums[m];
    }
  }
}
