enable subgroups;

// What ragged-mean-attention-subgroup.wgsl computes, for mentions with more keys: a workgroup of 8 lanes owns a
// run of entities with the three blocks of 8 COLUMNS keys of one mention, and takes 8 rows at a time. As many
// numbers in registers as there, in another shape. Dispatch: mentions owned * ceil(E / run) workgroups over x
// and y.

// needs ragged-mean-attention-operands.wgsl
// needs ragged-mean-attention-lanes.wgsl

const ROWS = 8u; // of a tile

/** The same rows by the three blocks. */
struct Three {
  a: Eight,
  b: Eight,
  c: Eight,
}

/** The softmax of 8 rows over their real keys. */
fn softmax(s: Three, real_a: AreKeys, real_b: AreKeys, real_c: AreKeys) -> Three {
  let sa = real_or(s.a, LOWEST, real_a);
  let sb = real_or(s.b, LOWEST, real_b);
  let sc = real_or(s.c, LOWEST, real_c);
  let ta = tops(sa);
  let tb = tops(sb);
  let tc = tops(sc);
  let top = PerRow(
    lanes_max(max(max(ta.low, tb.low), tc.low)),
    lanes_max(max(max(ta.high, tb.high), tc.high)),
  );
  let da = minus(sa, top);
  let db = minus(sb, top);
  let dc = minus(sc, top);
  let wa = real_or(exps(da), 0.0, real_a);
  let wb = real_or(exps(db), 0.0, real_b);
  let wc = real_or(exps(dc), 0.0, real_c);
  let na = checked_totals(wa, da);
  let nb = checked_totals(wb, db);
  let nc = checked_totals(wc, dc);
  let inverse = inverses(PerRow(na.low + nb.low + nc.low, na.high + nb.high + nc.high));
  return Three(times(wa, inverse), times(wb, inverse), times(wc, inverse));
}

@compute @workgroup_size(8)
fn ragged_mean_attention(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                         @builtin(local_invocation_index) lane: u32) {
  let index = group.y * groups.x + group.x;
  let mentions = params.mentions - params.before;
  let mention = params.before + index % mentions;
  let key_a = COLUMNS * lane;
  let key_b = key_a + 8u * COLUMNS;
  let key_c = key_b + 8u * COLUMNS;
  let real_a = are_keys(mention, key_a);
  let real_b = are_keys(mention, key_b);
  let real_c = are_keys(mention, key_c);

  let fours = (params.width + 3u) / 4u;
  var blocks_a: array<Block, FOURS>;
  var blocks_b: array<Block, FOURS>;
  var blocks_c: array<Block, FOURS>;
  for (var f = 0u; f < fours; f++) {
    blocks_a[f] = load_block(mention, key_a, 4u * f);
    blocks_b[f] = load_block(mention, key_b, 4u * f);
    blocks_c[f] = load_block(mention, key_c, 4u * f);
  }

  var entity = min(index / mentions * params.run, params.entities);
  let last_entity = min(entity + params.run, params.entities);
  let last_row = params.rows - 1u;
  var sum_a = Keys(); // of the weights of the entity's rows so far
  var sum_b = Keys();
  var sum_c = Keys();
  for (var tile = first_row(entity); entity < last_entity; tile += ROWS) {
    let row = min(tile + lane, last_row) * params.width;
    var scores = Three();
    for (var f = 0u; f < fours; f++) {
      let block_a = blocks_a[f];
      let block_b = blocks_b[f];
      let block_c = blocks_c[f];
      let four = q_four(row, 4u * f) * params.scale;
      scores.a = add_products(scores.a, block_a, four);
      scores.b = add_products(scores.b, block_b, four);
      scores.c = add_products(scores.c, block_c, four);
    }
    let weights = softmax(scores, real_a, real_b, real_c);
    while (entity < last_entity) {
      let begin = first_row(entity);
      let end = max(begin, first_row(entity + 1u));
      if (begin >= tile + ROWS) {
        break;
      }
      let start = max(begin, tile) - tile;
      let count = max(min(end, tile + ROWS), tile + start) - tile - start;
      sum_a += rows_sum(weights.a, start, count);
      sum_b += rows_sum(weights.b, start, count);
      sum_c += rows_sum(weights.c, start, count);
      if (end > tile + ROWS) {
        break;
      }
      let share = 1.0 / f32(max(end - begin, 1u));
      store(mention, entity, key_a, sum_a * share, real_a);
      store(mention, entity, key_b, sum_b * share, real_b);
      store(mention, entity, key_c, sum_c * share, real_c);
      sum_a = Keys();
      sum_b = Keys();
      sum_c = Keys();
      entity++;
    }
  }
}
