enable subgroups;

// a[m, e, j] = mean over the rows i of entity e of softmax_j(scale q_i . k_mj), over the real keys j of
// mention m; 0 on padded keys, for entities without rows and for mentions without keys. q [R, h]: entity e
// has the rows offsets[e] .. offsets[e + 1] - 1. k [M, Lk, h], key_mask [M, Lk], average_weights = a [M, E, Lk].
// The scores never leave the registers.
//
// A workgroup of 8 lanes computes a run of entities with the keys of MENTIONS mentions, COLUMNS neighbouring keys
// of each a lane, at most 12 in all. It loads the keys into a private array, once, and walks over the rows,
// one at a time; an entity keeps the sum of its rows' weights. Why this shape: for CPU adapters, where a lane
// is one SIMD lane. An element loaded from a buffer costs tens of multiply-adds there, one from a private
// array at a place known to the compiler nothing: so the loop over features is written out. The lanes load
// different features of a row and shuffle them to each other, once for all 12 keys; all of the row comes before its
// first product, since a load in between drives the sums out of the registers (two thirds of the speed). 12 sums
// are what the registers hold, and 96 features of 12 keys what the first cache does. Loops end at the bottom: one
// that tests at the top runs its body once more with all lanes off. Entities that no mention of the workgroup wants
// are passed over. Needs subgroups of at least 8 invocations, and h in multiples of 4. Dispatch:
// ceil(mentions owned / MENTIONS) * ceil(E / run) workgroups over x and y.

// needs ragged-mean-attention-operands.wgsl

const CHUNKS: u32 = 3u;   // h is at most 32 CHUNKS
const COLUMNS: u32 = 6u;  // Lk is at most 8 COLUMNS
const MENTIONS: u32 = 2u; // MENTIONS COLUMNS is at most 12

const KEYS = MENTIONS * COLUMNS;
const FEATURES = 32u * CHUNKS;
const LOG2_E = 1.4426950408889634;

/** For each feature the keys of a lane, in three fours. */
alias Panel = array<vec4f, 3u * FEATURES>;

/** A number for each key of a lane. */
struct Tile12 {
  a: vec4f,
  b: vec4f,
  c: vec4f,
}

/** Adds the products of a feature, from the panel's element e on. */
fn add_feature(panel: ptr<function, Panel>, s: Tile12, e: u32, x: f32) -> Tile12 {
  return Tile12(s.a + x * (*panel)[e], s.b + x * (*panel)[e + 1u], s.c + x * (*panel)[e + 2u]);
}

fn add_four(panel: ptr<function, Panel>, s: Tile12, e: u32, x: vec4f) -> Tile12 {
  var t = add_feature(panel, s, e, x.x);
  t = add_feature(panel, t, e + 3u, x.y);
  t = add_feature(panel, t, e + 6u, x.z);
  return add_feature(panel, t, e + 9u, x.w);
}

/** Adds the products of 32 features, of which lane l holds the four from 4 l on. */
fn add_chunk(panel: ptr<function, Panel>, s: Tile12, chunk: u32, x: vec4f) -> Tile12 {
  let e = 96u * chunk;
  var t = add_four(panel, s, e, subgroupShuffle(x, 0u));
  t = add_four(panel, t, e + 12u, subgroupShuffle(x, 1u));
  t = add_four(panel, t, e + 24u, subgroupShuffle(x, 2u));
  t = add_four(panel, t, e + 36u, subgroupShuffle(x, 3u));
  t = add_four(panel, t, e + 48u, subgroupShuffle(x, 4u));
  t = add_four(panel, t, e + 60u, subgroupShuffle(x, 5u));
  t = add_four(panel, t, e + 72u, subgroupShuffle(x, 6u));
  return add_four(panel, t, e + 84u, subgroupShuffle(x, 7u));
}

/** A lane's four features of a row, times the scale of the exponents: 0 beyond h. */
fn row_four(row: u32, d: u32) -> vec4f {
  let four = q_four(row * params.width, min(d, params.width - 4u));
  return select(vec4f(), four * (params.scale * LOG2_E), d < params.width);
}

fn lanes_max(x: f32) -> f32 {
  return max(
    max(max(subgroupShuffle(x, 0u), subgroupShuffle(x, 1u)),
        max(subgroupShuffle(x, 2u), subgroupShuffle(x, 3u))),
    max(max(subgroupShuffle(x, 4u), subgroupShuffle(x, 5u)),
        max(subgroupShuffle(x, 6u), subgroupShuffle(x, 7u))),
  );
}

fn lanes_sum(x: f32) -> f32 {
  return
    ((subgroupShuffle(x, 0u) + subgroupShuffle(x, 1u)) + (subgroupShuffle(x, 2u) + subgroupShuffle(x, 3u))) +
    ((subgroupShuffle(x, 4u) + subgroupShuffle(x, 5u)) + (subgroupShuffle(x, 6u) + subgroupShuffle(x, 7u)));
}

/** Whether a pair of the entity with any of the mentions from `mention` on counts. */
fn any_in_mask(mention: u32, entity: u32) -> bool {
  if (!MASKED) {
    return true;
  }
  var any = false;
  for (var m = 0u; m < MENTIONS; m++) {
    any = any || is_in_mask(min(mention + m, params.mentions - 1u), entity);
  }
  return any;
}

@compute @workgroup_size(8)
fn ragged_mean_attention(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                         @builtin(local_invocation_index) lane: u32) {
  let index = linear_group(group, groups);
  let mention_groups = (params.mentions - params.before + MENTIONS - 1u) / MENTIONS;
  let mention = params.before + index % mention_groups * MENTIONS;
  let run = index / mention_groups * params.run;
  let last_entity = min(run + params.run, params.entities);

  // Where the sums begin: with keys that are none so low that they have no weight.
  var starts: array<f32, 12>;
  for (var i = 0u; i < KEYS; i++) {
    let real = is_key(mention + i / COLUMNS, COLUMNS * lane + i % COLUMNS);
    starts[i] = select(LOWEST, 0.0, real);
  }
  var panel: Panel;
  // A bound unknown to the compiler: it would write the loop out.
  for (var d = 0u; d < select(FEATURES, 0u, params.width == 0u); d += 4u) {
    for (var i = 0u; i < KEYS; i += 4u) {
      var block = mat4x4f();
      for (var j = 0u; j < 4u; j++) {
        let real = i + j < KEYS && starts[i + j] == 0.0 && d < params.width;
        let four = k_four(mention + (i + j) / COLUMNS, COLUMNS * lane + (i + j) % COLUMNS,
                          min(d, params.width - 4u));
        block[j] = select(vec4f(), four, real);
      }
      block = transpose(block);
      let e = 3u * d + i / 4u;
      panel[e] = block[0];
      panel[e + 3u] = block[1];
      panel[e + 6u] = block[2];
      panel[e + 9u] = block[3];
    }
  }

  let start = Tile12(
    vec4f(starts[0], starts[1], starts[2], starts[3]),
    vec4f(starts[4], starts[5], starts[6], starts[7]),
    vec4f(starts[8], starts[9], starts[10], starts[11]),
  );
  var entity = run;
  loop {
    let begin = first_row(entity);
    let end = select(begin, max(begin, first_row(entity + 1u)), any_in_mask(mention, entity));
    // Without a value it would keep what the entity before left (Dawn on Mesa 25.0).
    var sums = array<f32, 12>();
    var row = min(begin, params.rows - 1u);
    loop {
      let x0 = row_four(row, 4u * lane);
      let x1 = row_four(row, 4u * lane + 32u);
      let x2 = row_four(row, 4u * lane + 64u);
      var s = add_chunk(&panel, start, 0u, x0);
      if (CHUNKS > 1u) { s = add_chunk(&panel, s, 1u, x1); }
      if (CHUNKS > 2u) { s = add_chunk(&panel, s, 2u, x2); }
      var weights = array<f32, 12>(
        s.a.x, s.a.y, s.a.z, s.a.w, s.b.x, s.b.y, s.b.z, s.b.w, s.c.x, s.c.y, s.c.z, s.c.w,
      );
      for (var m = 0u; m < MENTIONS; m++) {
        let i = m * COLUMNS;
        var top = weights[i];
        for (var j = 1u; j < COLUMNS; j++) {
          top = max(top, weights[i + j]);
        }
        top = lanes_max(top);
        var total = 0.0;
        var check = 0.0;
        for (var j = 0u; j < COLUMNS; j++) {
          let difference = weights[i + j] - top;
          let weight = exp2(difference);
          weights[i + j] = weight;
          total += weight;
          check += difference;
        }
        let inverse = 1.0 / lanes_sum(select(total, params.nan, is_nan(check)));
        for (var j = 0u; j < COLUMNS; j++) {
          sums[i + j] += weights[i + j] * inverse;
        }
      }
      continuing {
        row++;
        break if row >= end;
      }
    }
    // 0 for an entity without rows or of which no pair counts, whatever the row was that stood for them.
    let share = 1.0 / f32(max(end - begin, 1u));
    for (var i = 0u; i < KEYS; i++) {
      let owner = mention + i / COLUMNS;
      let key = COLUMNS * lane + i % COLUMNS;
      if (owner < params.mentions && key < params.keys) {
        let counts = starts[i] == 0.0 && end > begin;
        average_weights[place(owner, entity) + key] = select(0.0, sums[i] * share, counts);
      }
    }
    continuing {
      entity++;
      break if entity >= last_entity;
    }
  }
}
