// What the ragged mean attention kernels for subgroups share: 8 lanes hold the scores of 8 rows with blocks of
// 8 COLUMNS keys in registers, COLUMNS neighbouring keys a lane.

const COLUMNS: u32 = 4u;   // 2 to 4
alias Keys = vec4f;        // one number for each of a lane's keys in a block: vecCOLUMNSf
alias AreKeys = vec4<bool>;
alias Block = mat4x4f;     // four features of each: matCOLUMNSx4f
const FOURS: u32 = 8u;     // at least ceil(h / 4)

/** A lane's part of 8 rows by a block of keys. */
struct Eight {
  r0: Keys, r1: Keys, r2: Keys, r3: Keys, r4: Keys, r5: Keys, r6: Keys, r7: Keys,
}

/** A number for each of 8 rows. */
struct PerRow {
  low: vec4f,
  high: vec4f,
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
