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

const COLUMNS: u32 = 4u;   // 2 to 4
alias Keys = vec4f;        // one number for each of a lane's keys in a block: vecCOLUMNSf
alias AreKeys = vec4<bool>;
alias Block = mat4x4f;     // four features of each: matCOLUMNSx4f
const PAIR: bool = true;   // the second block is the next mention's; else the same mention's further keys
const FOURS: u32 = 8u;     // at least ceil(h / 4)
const ROWS = 24u;          // of a tile

/** A lane's part of 8 rows by a block of keys. */
struct Eight {
  r0: Keys, r1: Keys, r2: Keys, r3: Keys, r4: Keys, r5: Keys, r6: Keys, r7: Keys,
}

/** A number for each of 8 rows. */
struct PerRow {
  low: vec4f,
  high: vec4f,
}

/** The same rows by both blocks. */
struct Both {
  a: Eight,
  b: Eight,
}

fn load_block(mention: u32, key: u32, d: u32) -> Block {
  var block = Block();
  for (var j = 0u; j < COLUMNS; j++) {
    block[j] = k_four(mention, key + j, d);
  }
  return block;
}

fn are_keys(mention: u32, key: u32) -> AreKeys {
  var real = AreKeys();
  for (var j = 0u; j < COLUMNS; j++) {
    real[j] = is_key(mention, key + j);
  }
  return real;
}

/** Adds the products of four features; lane l holds those of row l. */
fn add_products(s: Eight, block: Block, q: vec4f) -> Eight {
  return Eight(
    s.r0 + subgroupBroadcast(q, 0u) * block, s.r1 + subgroupBroadcast(q, 1u) * block,
    s.r2 + subgroupBroadcast(q, 2u) * block, s.r3 + subgroupBroadcast(q, 3u) * block,
    s.r4 + subgroupBroadcast(q, 4u) * block, s.r5 + subgroupBroadcast(q, 5u) * block,
    s.r6 + subgroupBroadcast(q, 6u) * block, s.r7 + subgroupBroadcast(q, 7u) * block,
  );
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

fn real_or(x: Eight, other: f32, real: AreKeys) -> Eight {
  let o = Keys(other);
  return Eight(
    select(o, x.r0, real), select(o, x.r1, real), select(o, x.r2, real), select(o, x.r3, real),
    select(o, x.r4, real), select(o, x.r5, real), select(o, x.r6, real), select(o, x.r7, real),
  );
}

fn minus(x: Eight, y: PerRow) -> Eight {
  return Eight(
    x.r0 - y.low.x, x.r1 - y.low.y, x.r2 - y.low.z, x.r3 - y.low.w,
    x.r4 - y.high.x, x.r5 - y.high.y, x.r6 - y.high.z, x.r7 - y.high.w,
  );
}

fn times(x: Eight, y: PerRow) -> Eight {
  return Eight(
    x.r0 * y.low.x, x.r1 * y.low.y, x.r2 * y.low.z, x.r3 * y.low.w,
    x.r4 * y.high.x, x.r5 * y.high.y, x.r6 * y.high.z, x.r7 * y.high.w,
  );
}

fn exps(x: Eight) -> Eight {
  return Eight(
    exp(x.r0), exp(x.r1), exp(x.r2), exp(x.r3), exp(x.r4), exp(x.r5), exp(x.r6), exp(x.r7),
  );
}

fn top(x: Keys) -> f32 {
  var y = x[0];
  for (var j = 1u; j < COLUMNS; j++) {
    y = max(y, x[j]);
  }
  return y;
}

fn tops(x: Eight) -> PerRow {
  return PerRow(
    vec4f(top(x.r0), top(x.r1), top(x.r2), top(x.r3)),
    vec4f(top(x.r4), top(x.r5), top(x.r6), top(x.r7)),
  );
}

fn totals(x: Eight) -> PerRow {
  let one = Keys(1.0);
  return PerRow(
    vec4f(dot(x.r0, one), dot(x.r1, one), dot(x.r2, one), dot(x.r3, one)),
    vec4f(dot(x.r4, one), dot(x.r5, one), dot(x.r6, one), dot(x.r7, one)),
  );
}

/** A lane's sums of the weights; NaN where one of the differences that they are of is NaN. */
fn checked_totals(weights: Eight, differences: Eight) -> PerRow {
  let sum = totals(weights);
  let check = totals(differences);
  return PerRow(checked(sum.low, check.low), checked(sum.high, check.high));
}

fn checked(sum: vec4f, check: vec4f) -> vec4f {
  let broken = (bitcast<vec4u>(check) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
  return select(sum, vec4f(params.nan), broken);
}

/** 1 / the sum over the lanes. Infinite for a mention without keys: see where the sums are stored. */
fn inverses(totals: PerRow) -> PerRow {
  return PerRow(1.0 / lanes_sum(totals.low), 1.0 / lanes_sum(totals.high));
}

fn lanes_max(x: vec4f) -> vec4f {
  let low = max(
    max(subgroupBroadcast(x, 0u), subgroupBroadcast(x, 1u)),
    max(subgroupBroadcast(x, 2u), subgroupBroadcast(x, 3u)),
  );
  let high = max(
    max(subgroupBroadcast(x, 4u), subgroupBroadcast(x, 5u)),
    max(subgroupBroadcast(x, 6u), subgroupBroadcast(x, 7u)),
  );
  return max(low, high);
}

fn lanes_sum(x: vec4f) -> vec4f {
  let low = (subgroupBroadcast(x, 0u) + subgroupBroadcast(x, 1u)) +
    (subgroupBroadcast(x, 2u) + subgroupBroadcast(x, 3u));
  let high = (subgroupBroadcast(x, 4u) + subgroupBroadcast(x, 5u)) +
    (subgroupBroadcast(x, 6u) + subgroupBroadcast(x, 7u));
  return low + high;
}

/** Sum of the `count` rows of 8 from `begin` on. Selected, not multiplied by 0: the others may be NaN. */
fn rows_sum(x: Eight, begin: u32, count: u32) -> Keys {
  let none = Keys();
  let low = (select(none, x.r0, 0u - begin < count) + select(none, x.r1, 1u - begin < count)) +
    (select(none, x.r2, 2u - begin < count) + select(none, x.r3, 3u - begin < count));
  let high = (select(none, x.r4, 4u - begin < count) + select(none, x.r5, 5u - begin < count)) +
    (select(none, x.r6, 6u - begin < count) + select(none, x.r7, 7u - begin < count));
  return low + high;
}

/** What is on padded keys does not count; for a mention without keys that is everything. */
fn store(mention: u32, entity: u32, key: u32, average: Keys, real: AreKeys) {
  if (mention >= params.mentions) {
    return;
  }
  let i = place(mention, entity) + key;
  for (var j = 0u; j < COLUMNS; j++) {
    if (key + j < params.keys) {
      average_weights[i + j] = select(0.0, average[j], real[j]);
    }
  }
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
