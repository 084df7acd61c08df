enable subgroups;

// a[m, e, j] = mean over the rows i of entity e of softmax_j(scale q_i . k_mj), as in ragged-mean-attention.wgsl.
//
// A workgroup computes a run of entities with one mention, whose keys it stages in workgroup memory, turned. It takes
// ENTITIES entities at a time. LANES of its invocations share one: groups of 8 take 4 rows at a time, each of the 8
// every eighth key, so that the scores stay in registers and a row's softmax takes shuffles among 8. The groups add
// their sums up once an entity. Why this shape: for GPUs, where a load of a key's features from workgroup memory serves
// 4 rows, one of a row's COLUMNS keys, and nothing waits for a barrier once the keys are there. All invocations walk as
// many rows as the longest of the ENTITIES has, since a shuffle needs all of a subgroup. Needs subgroups of at least
// LANES invocations that follow one another in the workgroup. Workgroup memory: 8 FOURS COLUMNS fours. Dispatch:
// mentions owned * ceil(E / run) workgroups over x and y.

// needs ragged-mean-attention-operands.wgsl

const COLUMNS: u32 = 6u;    // Lk is at most 8 COLUMNS
const FOURS: u32 = 24u;     // h is at most 4 FOURS
const ROW_GROUPS: u32 = 1u; // 1, 2 or 4
const THREADS: u32 = 64u;

const KEYS = 8u * COLUMNS;
const LANES = 8u * ROW_GROUPS;
const ENTITIES = THREADS / LANES;
const LOG2_E = 1.4426950408889634;

/** A number for each key of an invocation. */
alias Row = array<f32, COLUMNS>;

var<workgroup> key_tile: array<vec4f, FOURS * KEYS>; // [four of features, key]; times the scale of the exponents

fn eight_max(x: f32) -> f32 {
  let pair = max(x, subgroupShuffleXor(x, 1u));
  let four = max(pair, subgroupShuffleXor(pair, 2u));
  return max(four, subgroupShuffleXor(four, 4u));
}

fn eight_sum(x: f32) -> f32 {
  let pair = x + subgroupShuffleXor(x, 1u);
  let four = pair + subgroupShuffleXor(pair, 2u);
  return four + subgroupShuffleXor(four, 4u);
}

/** The softmax of a row's scores; 0 for a row that does not count. NaN on a key makes the whole row NaN. */
fn softmax(scores: Row, counts: bool) -> Row {
  var row = scores;
  var top = row[0];
  for (var c = 1u; c < COLUMNS; c++) {
    top = max(top, row[c]);
  }
  top = eight_max(top);
  var total = 0.0;
  var check = 0.0;
  for (var c = 0u; c < COLUMNS; c++) {
    let difference = row[c] - top;
    row[c] = exp2(difference);
    total += row[c];
    check += difference;
  }
  let inverse = 1.0 / eight_sum(select(total, params.nan, is_nan(check)));
  for (var c = 0u; c < COLUMNS; c++) {
    row[c] = select(0.0, row[c] * inverse, counts);
  }
  return row;
}

/** Rows of an entity; none where its pair with the mention does not count. */
fn rows_of(mention: u32, entity: u32) -> u32 {
  let begin = first_row(entity);
  return select(0u, max(begin, first_row(entity + 1u)) - begin, is_in_mask(mention, entity));
}

fn multiply_add(x: vec4f, y: vec4f, sum: f32) -> f32 {
  return fma(x.w, y.w, fma(x.z, y.z, fma(x.y, y.y, fma(x.x, y.x, sum))));
}

@compute @workgroup_size(THREADS)
fn ragged_mean_attention(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                         @builtin(local_invocation_index) thread: u32) {
  let index = linear_group(group, groups);
  let mentions = params.mentions - params.before;
  let mention = params.before + index % mentions;
  let run = index / mentions * params.run;
  let last_entity = min(run + params.run, params.entities);
  for (var i = thread; i < FOURS * KEYS; i += THREADS) {
    let four = k_four(mention, i % KEYS, 4u * (i / KEYS)) * (params.scale * LOG2_E);
    key_tile[i] = select(vec4f(), four, is_key(mention, i % KEYS));
  }
  workgroupBarrier();

  let lane = thread % 8u;
  let row_group = thread % LANES / 8u;
  // Where the sums begin: with keys that are none so low that they have no weight.
  var starts: Row;
  for (var c = 0u; c < COLUMNS; c++) {
    starts[c] = select(LOWEST, 0.0, is_key(mention, 8u * c + lane));
  }
  let last_row = params.rows - 1u;
  let fours = (params.width + 3u) / 4u;
  for (var at = run; at < last_entity; at += ENTITIES) {
    var most_rows = 0u;
    for (var e = at; e < min(at + ENTITIES, last_entity); e++) {
      most_rows = max(most_rows, rows_of(mention, e));
    }
    let entity = at + thread / LANES;
    let exists = entity < last_entity;
    let begin = first_row(select(run, entity, exists));
    let rows = select(0u, rows_of(mention, select(run, entity, exists)), exists);
    var sums = Row();
    for (var step = 0u; step < most_rows; step += 4u * ROW_GROUPS) {
      let i = step + 4u * row_group;
      let q0 = min(begin + i, last_row) * params.width;
      let q1 = min(begin + i + 1u, last_row) * params.width;
      let q2 = min(begin + i + 2u, last_row) * params.width;
      let q3 = min(begin + i + 3u, last_row) * params.width;
      var s0 = starts; var s1 = starts; var s2 = starts; var s3 = starts;
      for (var f = 0u; f < fours; f++) {
        let x0 = q_four(q0, 4u * f);
        let x1 = q_four(q1, 4u * f);
        let x2 = q_four(q2, 4u * f);
        let x3 = q_four(q3, 4u * f);
        for (var c = 0u; c < COLUMNS; c++) {
          let y = key_tile[f * KEYS + 8u * c + lane];
          s0[c] = multiply_add(x0, y, s0[c]);
          s1[c] = multiply_add(x1, y, s1[c]);
          s2[c] = multiply_add(x2, y, s2[c]);
          s3[c] = multiply_add(x3, y, s3[c]);
        }
      }
      s0 = softmax(s0, i < rows);
      s1 = softmax(s1, i + 1u < rows);
      s2 = softmax(s2, i + 2u < rows);
      s3 = softmax(s3, i + 3u < rows);
      for (var c = 0u; c < COLUMNS; c++) {
        sums[c] += (s0[c] + s1[c]) + (s2[c] + s3[c]);
      }
    }
    for (var c = 0u; c < COLUMNS; c++) {
      if (ROW_GROUPS > 1u) { sums[c] += subgroupShuffleXor(sums[c], 8u); }
      if (ROW_GROUPS > 2u) { sums[c] += subgroupShuffleXor(sums[c], 16u); }
    }
    if (row_group == 0u && exists) {
      let share = 1.0 / f32(max(rows, 1u));
      for (var c = 0u; c < COLUMNS; c++) {
        let key = 8u * c + lane;
        if (key < params.keys) {
          average_weights[place(mention, entity) + key] = select(0.0, sums[c] * share, starts[c] == 0.0 && rows > 0u);
        }
      }
    }
  }
}
