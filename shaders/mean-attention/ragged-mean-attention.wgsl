// a[m, e, j] = mean over the rows i of entity e of softmax_j(scale q_i . k_mj), over the real keys j of
// mention m; 0 on padded keys, for entities without rows and for mentions without keys. q [R, h]: entity e
// has the rows offsets[e] .. offsets[e + 1] - 1. k [M, Lk, h], key_mask [M, Lk], average_weights = a [M, E, Lk].
//
// A workgroup computes a run of entities with one mention. It takes 8 ROW_LANES rows at a time, whether or not an
// entity ends among them: an invocation computes the scores of 8 rows with 8 keys at a time in registers and
// puts them into workgroup memory; then an invocation does the softmax of a row, and one sums the weights of
// a key, entity by entity. Why this shape: for devices without subgroups, and more keys than the
// kernels with subgroups hold. Registers save loads, which is what counts on CPU adapters; the scores pass
// through workgroup memory once for h multiply-adds each. Workgroup memory: at most 4040 floats. Dispatch:
// mentions owned * ceil(E / run) workgroups over x and y.

// needs ragged-mean-attention-operands.wgsl

const ROW_LANES: u32 = 8u;        // 8 (to 56 keys), 4 (112), 2 (224) or 1 (448)
const KEY_LANES: u32 = 1u;
const KEYS: u32 = 56u;            // most that Lk may be, at most 448 / ROW_LANES
const STRIDE = KEYS + 1u;         // odd: neighbouring rows lie in different banks
const ROWS = 8u * ROW_LANES;
const LANES = ROW_LANES * KEY_LANES;

var<workgroup> scores: array<f32, ROWS * STRIDE>; // then the weights
var<workgroup> sums: array<f32, KEYS>;            // of the weights of the entity's rows so far

fn put(row: u32, key: u32, left: vec4f, right: vec4f) {
  let i = row * STRIDE + key;
  scores[i] = left.x;
  scores[i + 1u] = left.y;
  scores[i + 2u] = left.z;
  scores[i + 3u] = left.w;
  scores[i + 4u] = right.x;
  scores[i + 5u] = right.y;
  scores[i + 6u] = right.z;
  scores[i + 7u] = right.w;
}

fn are_keys(mention: u32, key: u32) -> vec4<bool> {
  return vec4<bool>(
    is_key(mention, key), is_key(mention, key + 1u), is_key(mention, key + 2u), is_key(mention, key + 3u),
  );
}

/** The scores of 8 rows, `row` of the tile and the next, with 8 keys: LOWEST where a key is none. */
fn products(tile: u32, row: u32, mention: u32, key: u32) {
  let last = params.rows - 1u;
  let q0 = min(tile + row, last) * params.width;
  let q1 = min(tile + row + 1u, last) * params.width;
  let q2 = min(tile + row + 2u, last) * params.width;
  let q3 = min(tile + row + 3u, last) * params.width;
  let q4 = min(tile + row + 4u, last) * params.width;
  let q5 = min(tile + row + 5u, last) * params.width;
  let q6 = min(tile + row + 6u, last) * params.width;
  let q7 = min(tile + row + 7u, last) * params.width;
  var l0 = vec4f(); var l1 = vec4f(); var l2 = vec4f(); var l3 = vec4f();
  var l4 = vec4f(); var l5 = vec4f(); var l6 = vec4f(); var l7 = vec4f();
  var r0 = vec4f(); var r1 = vec4f(); var r2 = vec4f(); var r3 = vec4f();
  var r4 = vec4f(); var r5 = vec4f(); var r6 = vec4f(); var r7 = vec4f();
  for (var d = 0u; d < params.width; d += 4u) {
    let block_l = mat4x4f(
      k_four(mention, key, d),
      k_four(mention, key + 1u, d),
      k_four(mention, key + 2u, d),
      k_four(mention, key + 3u, d),
    );
    let block_r = mat4x4f(
      k_four(mention, key + 4u, d),
      k_four(mention, key + 5u, d),
      k_four(mention, key + 6u, d),
      k_four(mention, key + 7u, d),
    );
    let f0 = q_four(q0, d); l0 += f0 * block_l; r0 += f0 * block_r;
    let f1 = q_four(q1, d); l1 += f1 * block_l; r1 += f1 * block_r;
    let f2 = q_four(q2, d); l2 += f2 * block_l; r2 += f2 * block_r;
    let f3 = q_four(q3, d); l3 += f3 * block_l; r3 += f3 * block_r;
    let f4 = q_four(q4, d); l4 += f4 * block_l; r4 += f4 * block_r;
    let f5 = q_four(q5, d); l5 += f5 * block_l; r5 += f5 * block_r;
    let f6 = q_four(q6, d); l6 += f6 * block_l; r6 += f6 * block_r;
    let f7 = q_four(q7, d); l7 += f7 * block_l; r7 += f7 * block_r;
  }
  let is_left = are_keys(mention, key);
  let is_right = are_keys(mention, key + 4u);
  let low = vec4f(LOWEST);
  var left = array<vec4f, 8>(l0, l1, l2, l3, l4, l5, l6, l7);
  var right = array<vec4f, 8>(r0, r1, r2, r3, r4, r5, r6, r7);
  // A bound unknown to the compiler: unrolled, the stores would be most of the compile time.
  let rows = select(8u, 0u, params.width == 0u);
  for (var i = 0u; i < rows; i++) {
    put(row + i, key, select(low, left[i], is_left), select(low, right[i], is_right));
  }
}

/** Scores to weights, in place. NaN on a real key makes the whole row NaN. */
fn softmax(row: u32) {
  let base = row * STRIDE;
  var top = LOWEST;
  for (var j = 0u; j < params.keys; j++) {
    top = max(top, scores[base + j]);
  }
  var total = 0.0;
  var broken = false;
  for (var j = 0u; j < params.keys; j++) {
    let score = scores[base + j];
    let difference = params.scale * (score - top);
    let weight = select(exp(difference), 0.0, score == LOWEST);
    scores[base + j] = weight;
    total += weight;
    broken = broken || is_nan(difference);
  }
  let inverse = select(1.0 / total, params.nan, broken);
  for (var j = 0u; j < params.keys; j++) {
    let weight = scores[base + j] * inverse;
    scores[base + j] = weight;
  }
}

@compute @workgroup_size(LANES)
fn ragged_mean_attention(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                         @builtin(local_invocation_index) lane: u32) {
  let index = linear_group(group, groups);
  let mentions = params.mentions - params.before;
  let mention = params.before + index % mentions;
  var entity = min(index / mentions * params.run, params.entities);
  let last_entity = min(entity + params.run, params.entities);
  for (var j = lane; j < params.keys; j += LANES) {
    sums[j] = 0.0;
  }

  for (var tile = first_row(entity); entity < last_entity; tile += ROWS) {
    // Entities that do not count are passed over where they have not begun.
    while (entity < last_entity && first_row(entity) >= tile && !is_in_mask(mention, entity)) {
      for (var j = lane; j < params.keys; j += LANES) {
        average_weights[place(mention, entity) + j] = 0.0;
      }
      entity++;
    }
    if (entity >= last_entity) {
      break;
    }
    tile = max(tile, first_row(entity));
    for (var key = 8u * (lane / ROW_LANES); key < params.keys; key += 8u * KEY_LANES) {
      products(tile, 8u * (lane % ROW_LANES), mention, key);
    }
    workgroupBarrier();
    for (var row = lane; row < ROWS; row += LANES) {
      softmax(row);
    }
    workgroupBarrier();
    while (entity < last_entity) {
      let begin = first_row(entity);
      let end = max(begin, first_row(entity + 1u));
      if (begin >= tile + ROWS) {
        break;
      }
      let start = max(begin, tile) - tile;
      let stop = max(min(end, tile + ROWS), tile) - tile;
      let share = 1.0 / f32(max(end - begin, 1u));
      let counts = is_in_mask(mention, entity);
      let ends = end <= tile + ROWS || !counts;
      for (var j = lane; j < params.keys; j += LANES) {
        var sum = sums[j];
        for (var row = start; row < stop; row++) {
          sum += scores[row * STRIDE + j];
        }
        if (ends) {
          average_weights[place(mention, entity) + j] = select(0.0, sum * share, counts && is_key(mention, j));
          sum = 0.0;
        }
        sums[j] = sum;
      }
      if (!ends) {
        break;
      }
      entity++;
    }
    workgroupBarrier();
  }
}
