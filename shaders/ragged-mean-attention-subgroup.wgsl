enable subgroups;

// a[m, e, j] = mean over the rows i of entity e of softmax_j(scale q_i . k_mj), over the real keys j of
// mention m; 0 on padded keys, for entities without rows and for mentions without keys. q [R, h]: entity e
// has the rows first[e] .. first[e + 1] - 1. k [M, Lk, h], key_mask [M, Lk], average_weights = a [M, E, Lk].
// The scores never leave the registers.
//
// A workgroup of 8 lanes owns a run of entities with two blocks of 8 COLUMNS keys: those of two mentions
// (PAIR), or of one. A lane owns COLUMNS neighbouring keys of each block. The rows are taken 24 at a time,
// whether or not an entity ends among them; their weights are then summed entity by entity, and an entity
// that goes on keeps its sum for the next tile. Why this shape: for CPU adapters, where an element brought
// from a buffer costs tens of multiply-adds. So q is brought once for all keys of the tile, each lane a
// different row, and broadcast; the keys are brought once for the whole run, into private arrays, from which
// they cost far less. More rows or keys at a time no longer fit the instruction cache. Needs subgroups of at
// least 8 invocations. Dispatch: ceil(mentions owned / (PAIR ? 2 : 1)) * ceil(E / run) workgroups over x and
// y.

// needs ragged-mean-attention-operands.wgsl
// needs ragged-mean-attention-lanes.wgsl

const PAIR: bool = true;   // the second block is the next mention's; else the same mention's further keys
const ROWS = 24u;          // of a tile

/** The same rows by both blocks. */
struct Both {
  a: Eight,
  b: Eight,
}

/** The softmax of 8 rows over their real keys, without the division by the sum: that is `inverses`. */
fn softmax(a: Eight, b: Eight, real_a: AreKeys, real_b: AreKeys) -> Both {
  let sa = real_or(a, LOWEST, real_a);
  let sb = real_or(b, LOWEST, real_b);
  var top_a = tops(sa);
  var top_b = tops(sb);
  if (!PAIR) {
    top_a = PerRow(max(top_a.low, top_b.low), max(top_a.high, top_b.high));
  }
  top_a = PerRow(lanes_max(top_a.low), lanes_max(top_a.high));
  if (PAIR) {
    top_b = PerRow(lanes_max(top_b.low), lanes_max(top_b.high));
  } else {
    top_b = top_a;
  }
  let da = minus(sa, top_a);
  let db = minus(sb, top_b);
  let wa = real_or(exps(da), 0.0, real_a);
  let wb = real_or(exps(db), 0.0, real_b);
  var total_a = checked_totals(wa, da);
  let total_b = checked_totals(wb, db);
  if (!PAIR) {
    total_a = PerRow(total_a.low + total_b.low, total_a.high + total_b.high);
  }
  let inverse_a = inverses(total_a);
  if (PAIR) {
    return Both(times(wa, inverse_a), times(wb, inverses(total_b)));
  }
  return Both(times(wa, inverse_a), times(wb, inverse_a));
}

@compute @workgroup_size(8)
fn ragged_mean_attention(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                         @builtin(local_invocation_index) lane: u32) {
  let index = group.y * groups.x + group.x;
  let per_group = select(1u, 2u, PAIR);
  let mention_groups = (params.mentions - params.before + per_group - 1u) / per_group;
  let mention_a = params.before + index % mention_groups * per_group;
  let mention_b = mention_a + per_group - 1u;
  let key_a = COLUMNS * lane;
  let key_b = key_a + select(8u * COLUMNS, 0u, PAIR);
  let real_a = are_keys(mention_a, key_a);
  let real_b = are_keys(mention_b, key_b);

  let fours = (params.width + 3u) / 4u;
  // A bound unknown to the compiler: unrolled, the softmax would be most of the compile time.
  let row_groups = select(ROWS / 8u, 0u, params.width == 0u);
  var blocks_a: array<Block, FOURS>;
  var blocks_b: array<Block, FOURS>;
  for (var f = 0u; f < fours; f++) {
    blocks_a[f] = load_block(mention_a, key_a, 4u * f);
    blocks_b[f] = load_block(mention_b, key_b, 4u * f);
  }

  var entity = min(index / mention_groups * params.run, params.entities);
  let last_entity = min(entity + params.run, params.entities);
  let last_row = params.rows - 1u;
  var sum_a = Keys(); // of the weights of the entity's rows so far
  var sum_b = Keys();
  for (var tile = first_row(entity); entity < last_entity; tile += ROWS) {
    let q0 = min(tile + lane, last_row) * params.width;
    let q1 = min(tile + 8u + lane, last_row) * params.width;
    let q2 = min(tile + 16u + lane, last_row) * params.width;
    var a0 = Eight(); var a1 = Eight(); var a2 = Eight();
    var b0 = Eight(); var b1 = Eight(); var b2 = Eight();
    for (var f = 0u; f < fours; f++) {
      let block_a = blocks_a[f];
      let block_b = blocks_b[f];
      let f0 = q_four(q0, 4u * f) * params.scale;
      let f1 = q_four(q1, 4u * f) * params.scale;
      let f2 = q_four(q2, 4u * f) * params.scale;
      a0 = add_products(a0, block_a, f0); b0 = add_products(b0, block_b, f0);
      a1 = add_products(a1, block_a, f1); b1 = add_products(b1, block_b, f1);
      a2 = add_products(a2, block_a, f2); b2 = add_products(b2, block_b, f2);
    }
    // The groups of rows take turns in one place, and end where they were.
    for (var g = 0u; g < row_groups; g++) {
      let weights = softmax(a0, b0, real_a, real_b);
      a0 = a1; a1 = a2; a2 = weights.a;
      b0 = b1; b1 = b2; b2 = weights.b;
    }
    while (entity < last_entity) {
      let begin = first_row(entity);
      let end = max(begin, first_row(entity + 1u));
      if (begin >= tile + ROWS) {
        break;
      }
      let start = max(begin, tile) - tile;
      let count = max(min(end, tile + ROWS), tile + start) - tile - start;
      sum_a += rows_sum(a0, start, count) + rows_sum(a1, start - 8u, count) +
        rows_sum(a2, start - 16u, count);
      sum_b += rows_sum(b0, start, count) + rows_sum(b1, start - 8u, count) +
        rows_sum(b2, start - 16u, count);
      if (end > tile + ROWS) {
        break;
      }
      let share = 1.0 / f32(max(end - begin, 1u));
      store(mention_a, entity, key_a, sum_a * share, real_a);
      store(mention_b, entity, key_b, sum_b * share, real_b);
      sum_a = Keys();
      sum_b = Keys();
      entity++;
    }
  }
}
