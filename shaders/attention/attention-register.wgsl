// Scaled dot-product attention, forward: out = softmax(scale q k^T + masks) v a head, by online softmax
// (Milakov and Gimelshein 2018; Rabe and Staats 2021; Dao et al. 2022): nothing of shape [L, L] is
// written. Also writes lse[batch, heads, Lq] = log sum exp of the scaled, masked scores, from which the
// backward rebuilds the weights as exp(scale q k^T - lse). A row whose keys are all masked yields 0 and lse
// = +3e38, so that its weights rebuild to 0. q, out: [batch, Lq, heads * HEAD_SIZE]; k, v: [batch, Lk,
// heads * HEAD_SIZE], with row strides and first elements in params, so that a fused [.., 3 * width]
// projection is read in place. key_mask: u32 [batch, Lk], 0 = not attended. A workgroup of 8 lanes computes 16
// queries of one head and takes the keys 32 at a time. Lane l computes the scores of the keys 4 l .. 4 l +
// 3 with all 16 queries; then a lane does the softmax of the queries l and l + 8; for the output lane l
// computes the features 4 l .. 4 l + 3 (and 32, 64, 96 further). q and the weights pass through workgroup
// memory. Why this shape: for CPU adapters without subgroups, where loading an element costs several
// multiply-adds from any memory: k and v are loaded once for 16 queries. Dispatch (ceil(lq / 16), heads,
// batch).

// needs attention-operands.wgsl

var<workgroup> q_tile: array<vec4f, FOURS * 16u>; // [four features, query], scaled
var<workgroup> p_tile: array<vec4f, 8u * 16u>;    // [four keys, query]: scores, then weights
var<workgroup> old_tile: array<f32, 16>;          // factor for what was summed before
var<workgroup> inverse_tile: array<f32, 16>;      // 1 / sum of the weights, 0 without keys

/**
 * One step of the online softmax of row r over the 32 scores in p_tile, which become weights; returns (top,
 * total).
 */
fn softmax_step(batch: u32, query: u32, first: u32, r: u32, top: f32, total: f32) -> vec2f {
  var largest = vec4f(top);
  for (var i = 0u; i < 8u; i++) {
    let scores = masked(batch, query, first + 4u * i, p_tile[i * 16u + r]);
    p_tile[i * 16u + r] = scores;
    largest = max(largest, scores);
  }
  let new_top = max(max(largest.x, largest.y), max(largest.z, largest.w));
  let old = exp(top - new_top);
  var sum = vec4f();
  for (var i = 0u; i < 8u; i++) {
    let weight = weights(p_tile[i * 16u + r], new_top);
    p_tile[i * 16u + r] = weight;
    sum += weight;
  }
  old_tile[r] = old;
  return vec2f(new_top, total * old + dot(sum, vec4f(1.0)));
}

@compute @workgroup_size(8)
fn attention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let batch = group.z;
  let column = head * HEAD_SIZE;
  let query0 = group.x * 16u;
  let last = params.lq - 1u;
  let q_base = params.q_offset + column;
  let k_base = params.k_offset + column + batch * params.lk * params.k_stride;
  let v_base = params.v_offset + column + batch * params.lk * params.v_stride;

  for (var i = lane; i < FOURS * 16u; i += 8u) {
    let row = batch * params.lq + min(query0 + i % 16u, last);
    q_tile[i] = q_four(q_base + row * params.q_stride, 4u * (i / 16u)) * params.scale;
  }
  workgroupBarrier();

  // A bound unknown to the compiler: unrolled, this loop would be most of the compile time.
  let fours = select(FOURS, 0u, params.lk == 0u);
  var sums: array<vec4f, 16u * PANELS>; // [panel, query]
  // The running (top, total) of the rows lane and lane + 8.
  var low = vec2f(LOWEST, 0.0);
  var high = low;

  for (var first = 0u; first < params.lk; first += 32u) {
    let key = first + 4u * lane;
    var s00 = vec4f(); var s01 = vec4f(); var s02 = vec4f(); var s03 = vec4f();
    var s04 = vec4f(); var s05 = vec4f(); var s06 = vec4f(); var s07 = vec4f();
    var s08 = vec4f(); var s09 = vec4f(); var s10 = vec4f(); var s11 = vec4f();
    var s12 = vec4f(); var s13 = vec4f(); var s14 = vec4f(); var s15 = vec4f();
    for (var f = 0u; f < fours; f++) {
      let block = k_block(k_base, key, 4u * f);
      let row = f * 16u;
      s00 += block * q_tile[row + 0u];
      s01 += block * q_tile[row + 1u];
      s02 += block * q_tile[row + 2u];
      s03 += block * q_tile[row + 3u];
      s04 += block * q_tile[row + 4u];
      s05 += block * q_tile[row + 5u];
      s06 += block * q_tile[row + 6u];
      s07 += block * q_tile[row + 7u];
      s08 += block * q_tile[row + 8u];
      s09 += block * q_tile[row + 9u];
      s10 += block * q_tile[row + 10u];
      s11 += block * q_tile[row + 11u];
      s12 += block * q_tile[row + 12u];
      s13 += block * q_tile[row + 13u];
      s14 += block * q_tile[row + 14u];
      s15 += block * q_tile[row + 15u];
    }
    let mine = lane * 16u;
    p_tile[mine + 0u] = s00;
    p_tile[mine + 1u] = s01;
    p_tile[mine + 2u] = s02;
    p_tile[mine + 3u] = s03;
    p_tile[mine + 4u] = s04;
    p_tile[mine + 5u] = s05;
    p_tile[mine + 6u] = s06;
    p_tile[mine + 7u] = s07;
    p_tile[mine + 8u] = s08;
    p_tile[mine + 9u] = s09;
    p_tile[mine + 10u] = s10;
    p_tile[mine + 11u] = s11;
    p_tile[mine + 12u] = s12;
    p_tile[mine + 13u] = s13;
    p_tile[mine + 14u] = s14;
    p_tile[mine + 15u] = s15;
    workgroupBarrier();
    low = softmax_step(batch, query0 + lane, first, lane, low.x, low.y);
    high = softmax_step(batch, query0 + 8u + lane, first, lane + 8u, high.x, high.y);
    workgroupBarrier();

    for (var panel = 0u; panel < PANELS; panel++) {
      let d = min(32u * panel + 4u * lane, 4u * FOURS - 4u);
      let row = panel * 16u;
      var o00 = sums[row + 0u] * old_tile[0];
      var o01 = sums[row + 1u] * old_tile[1];
      var o02 = sums[row + 2u] * old_tile[2];
      var o03 = sums[row + 3u] * old_tile[3];
      var o04 = sums[row + 4u] * old_tile[4];
      var o05 = sums[row + 5u] * old_tile[5];
      var o06 = sums[row + 6u] * old_tile[6];
      var o07 = sums[row + 7u] * old_tile[7];
      var o08 = sums[row + 8u] * old_tile[8];
      var o09 = sums[row + 9u] * old_tile[9];
      var o10 = sums[row + 10u] * old_tile[10];
      var o11 = sums[row + 11u] * old_tile[11];
      var o12 = sums[row + 12u] * old_tile[12];
      var o13 = sums[row + 13u] * old_tile[13];
      var o14 = sums[row + 14u] * old_tile[14];
      var o15 = sums[row + 15u] * old_tile[15];
      for (var source = 0u; source < 8u && first + 4u * source < params.lk; source++) {
        let block = v_block(v_base, first + 4u * source, d);
        let weight = source * 16u;
        o00 += block * p_tile[weight + 0u];
        o01 += block * p_tile[weight + 1u];
        o02 += block * p_tile[weight + 2u];
        o03 += block * p_tile[weight + 3u];
        o04 += block * p_tile[weight + 4u];
        o05 += block * p_tile[weight + 5u];
        o06 += block * p_tile[weight + 6u];
        o07 += block * p_tile[weight + 7u];
        o08 += block * p_tile[weight + 8u];
        o09 += block * p_tile[weight + 9u];
        o10 += block * p_tile[weight + 10u];
        o11 += block * p_tile[weight + 11u];
        o12 += block * p_tile[weight + 12u];
        o13 += block * p_tile[weight + 13u];
        o14 += block * p_tile[weight + 14u];
        o15 += block * p_tile[weight + 15u];
      }
      sums[row + 0u] = o00;
      sums[row + 1u] = o01;
      sums[row + 2u] = o02;
      sums[row + 3u] = o03;
      sums[row + 4u] = o04;
      sums[row + 5u] = o05;
      sums[row + 6u] = o06;
      sums[row + 7u] = o07;
      sums[row + 8u] = o08;
      sums[row + 9u] = o09;
      sums[row + 10u] = o10;
      sums[row + 11u] = o11;
      sums[row + 12u] = o12;
      sums[row + 13u] = o13;
      sums[row + 14u] = o14;
      sums[row + 15u] = o15;
    }
    workgroupBarrier();
  }

  inverse_tile[lane] = select(0.0, 1.0 / low.y, low.y != 0.0); // true for NaN too, which must be seen
  inverse_tile[lane + 8u] = select(0.0, 1.0 / high.y, high.y != 0.0);
  workgroupBarrier();
  for (var r = 0u; r < 16u; r++) {
    if (query0 + r < params.lq) {
      let row = (batch * params.lq + query0 + r) * params.o_stride + column;
      for (var panel = 0u; panel < PANELS; panel++) {
        let d = 32u * panel + 4u * lane;
        if (d < HEAD_SIZE) {
          store(row, d, sums[panel * 16u + r] * inverse_tile[r]);
        }
      }
    }
  }
  let lse_row = (batch * params.heads + head) * params.lq + query0 + lane;
  if (query0 + lane < params.lq) {
    lse[lse_row] = select(NO_KEYS, low.x + log(low.y), low.y != 0.0);
  }
  if (query0 + 8u + lane < params.lq) {
    lse[lse_row + 8u] = select(NO_KEYS, high.x + log(high.y), high.y != 0.0);
  }
}
