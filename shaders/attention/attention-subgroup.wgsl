enable subgroups;

// Scaled dot-product attention, forward: out = softmax(scale q k^T + masks) v a head, by online softmax
// (Milakov and Gimelshein 2018; Rabe and Staats 2021; Dao et al. 2022): nothing of shape [L, L] is
// written. Also writes lse[batch, heads, Lq] = log sum exp of the scaled, masked scores, from which the
// backward rebuilds the weights as exp(scale q k^T - lse). A row whose keys are all masked yields 0 and lse
// = +3e38, so that its weights rebuild to 0. q, out: [batch, Lq, heads * HEAD_SIZE]; k, v: [batch, Lk,
// heads * HEAD_SIZE], with row strides and first elements in params, so that a fused [.., 3 * width]
// projection is read in place. key_mask: u32 [batch, Lk], 0 = not attended. A workgroup of 8 lanes computes 16
// queries of one head and takes the keys 32 at a time. Lane l computes the scores of the keys 4 l .. 4 l +
// 3 with all 16 queries, whose features the lanes hold in turn and broadcast; for the output it computes the
// features 4 l .. 4 l + 3 (and 32, 64, 96 further) and takes the weights by broadcast. Why this shape: for
// CPU adapters, where loading an element costs several multiply-adds and a broadcast about one: k and v
// are loaded once for 16 queries, q once for 32 keys, and the scores never leave registers. Needs
// subgroups of at least 8 invocations. Dispatch (ceil(lq / 16), heads, batch).

// needs attention-operands.wgsl

@compute @workgroup_size(8)
fn attention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let batch = group.z;
  let column = head * HEAD_SIZE;
  let query0 = group.x * 16u;
  let last = params.lq - 1u;
  // This lane loads the rows query0 + lane and query0 + 8 + lane of q.
  let q_base = params.q_offset + column;
  let q_row0 = q_base + (batch * params.lq + min(query0 + lane, last)) * params.q_stride;
  let q_row1 = q_base + (batch * params.lq + min(query0 + 8u + lane, last)) * params.q_stride;
  let k_base = params.k_offset + column + batch * params.lk * params.k_stride;
  let v_base = params.v_offset + column + batch * params.lk * params.v_stride;

  var sums: array<vec4f, 16u * PANELS>; // [panel, query]
  var top: array<f32, 16>;
  var total: array<f32, 16>;
  for (var r = 0u; r < 16u; r++) {
    top[r] = LOWEST;
  }

  for (var first = 0u; first < params.lk; first += 32u) {
    let key = first + 4u * lane;
    var s00 = vec4f(); var s01 = vec4f(); var s02 = vec4f(); var s03 = vec4f();
    var s04 = vec4f(); var s05 = vec4f(); var s06 = vec4f(); var s07 = vec4f();
    var s08 = vec4f(); var s09 = vec4f(); var s10 = vec4f(); var s11 = vec4f();
    var s12 = vec4f(); var s13 = vec4f(); var s14 = vec4f(); var s15 = vec4f();
    for (var d = 0u; d < HEAD_SIZE; d += 4u) {
      let block = k_block(k_base, key, d);
      let low = q_four(q_row0, d) * params.scale;
      let high = q_four(q_row1, d) * params.scale;
      s00 += block * subgroupBroadcast(low, 0u);
      s01 += block * subgroupBroadcast(low, 1u);
      s02 += block * subgroupBroadcast(low, 2u);
      s03 += block * subgroupBroadcast(low, 3u);
      s04 += block * subgroupBroadcast(low, 4u);
      s05 += block * subgroupBroadcast(low, 5u);
      s06 += block * subgroupBroadcast(low, 6u);
      s07 += block * subgroupBroadcast(low, 7u);
      s08 += block * subgroupBroadcast(high, 0u);
      s09 += block * subgroupBroadcast(high, 1u);
      s10 += block * subgroupBroadcast(high, 2u);
      s11 += block * subgroupBroadcast(high, 3u);
      s12 += block * subgroupBroadcast(high, 4u);
      s13 += block * subgroupBroadcast(high, 5u);
      s14 += block * subgroupBroadcast(high, 6u);
      s15 += block * subgroupBroadcast(high, 7u);
    }

    var p = array<vec4f, 16>(
      s00, s01, s02, s03, s04, s05, s06, s07,
      s08, s09, s10, s11, s12, s13, s14, s15,
    );
    for (var r = 0u; r < 16u; r++) {
      let scores = masked(batch, query0 + r, key, p[r]);
      let largest = max(max(scores.x, scores.y), max(scores.z, scores.w));
      let new_top = max(top[r], subgroupMax(largest));
      let weight = weights(scores, new_top);
      let old = exp(top[r] - new_top);
      p[r] = weight;
      top[r] = new_top;
      total[r] = total[r] * old + subgroupAdd(dot(weight, vec4f(1.0)));
      for (var panel = 0u; panel < PANELS; panel++) {
        sums[panel * 16u + r] *= old;
      }
    }

    for (var panel = 0u; panel < PANELS; panel++) {
      let d = min(32u * panel + 4u * lane, 4u * FOURS - 4u);
      var o00 = sums[panel * 16u + 0u]; var o01 = sums[panel * 16u + 1u];
      var o02 = sums[panel * 16u + 2u]; var o03 = sums[panel * 16u + 3u];
      var o04 = sums[panel * 16u + 4u]; var o05 = sums[panel * 16u + 5u];
      var o06 = sums[panel * 16u + 6u]; var o07 = sums[panel * 16u + 7u];
      var o08 = sums[panel * 16u + 8u]; var o09 = sums[panel * 16u + 9u];
      var o10 = sums[panel * 16u + 10u]; var o11 = sums[panel * 16u + 11u];
      var o12 = sums[panel * 16u + 12u]; var o13 = sums[panel * 16u + 13u];
      var o14 = sums[panel * 16u + 14u]; var o15 = sums[panel * 16u + 15u];
      let p00 = p[0]; let p01 = p[1]; let p02 = p[2]; let p03 = p[3];
      let p04 = p[4]; let p05 = p[5]; let p06 = p[6]; let p07 = p[7];
      let p08 = p[8]; let p09 = p[9]; let p10 = p[10]; let p11 = p[11];
      let p12 = p[12]; let p13 = p[13]; let p14 = p[14]; let p15 = p[15];
      for (var source = 0u; source < 8u && first + 4u * source < params.lk; source++) {
        let block = v_block(v_base, first + 4u * source, d);
        o00 += block * subgroupShuffle(p00, source);
        o01 += block * subgroupShuffle(p01, source);
        o02 += block * subgroupShuffle(p02, source);
        o03 += block * subgroupShuffle(p03, source);
        o04 += block * subgroupShuffle(p04, source);
        o05 += block * subgroupShuffle(p05, source);
        o06 += block * subgroupShuffle(p06, source);
        o07 += block * subgroupShuffle(p07, source);
        o08 += block * subgroupShuffle(p08, source);
        o09 += block * subgroupShuffle(p09, source);
        o10 += block * subgroupShuffle(p10, source);
        o11 += block * subgroupShuffle(p11, source);
        o12 += block * subgroupShuffle(p12, source);
        o13 += block * subgroupShuffle(p13, source);
        o14 += block * subgroupShuffle(p14, source);
        o15 += block * subgroupShuffle(p15, source);
      }
      sums[panel * 16u + 0u] = o00; sums[panel * 16u + 1u] = o01;
      sums[panel * 16u + 2u] = o02; sums[panel * 16u + 3u] = o03;
      sums[panel * 16u + 4u] = o04; sums[panel * 16u + 5u] = o05;
      sums[panel * 16u + 6u] = o06; sums[panel * 16u + 7u] = o07;
      sums[panel * 16u + 8u] = o08; sums[panel * 16u + 9u] = o09;
      sums[panel * 16u + 10u] = o10; sums[panel * 16u + 11u] = o11;
      sums[panel * 16u + 12u] = o12; sums[panel * 16u + 13u] = o13;
      sums[panel * 16u + 14u] = o14; sums[panel * 16u + 15u] = o15;
    }
  }

  for (var r = 0u; r < 16u; r++) {
    let query = query0 + r;
    if (query >= params.lq) {
      continue;
    }
    let any = total[r] != 0.0; // true for NaN too, which must be seen
    let inverse = select(0.0, 1.0 / total[r], any);
    let row = (batch * params.lq + query) * params.o_stride + column;
    for (var panel = 0u; panel < PANELS; panel++) {
      let d = 32u * panel + 4u * lane;
      if (d < HEAD_SIZE) {
        store(row, d, sums[panel * 16u + r] * inverse);
      }
    }
    if (lane == 0u) {
      lse[(batch * params.heads + head) * params.lq + query] = select(NO_KEYS, top[r] + log(total[r]), any);
    }
  }
}
