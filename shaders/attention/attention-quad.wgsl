enable subgroups;

// Scaled dot-product attention, forward, for GPUs: what attention-tiled.wgsl computes, with the same operands.
// A workgroup computes QUERIES queries of one head, each shared by 4 neighbouring invocations, whose lanes compute every
// fourth four of its features in registers. Keys and values pass through workgroup memory, STEP at a time; the partial
// scores of a key meet by two shuffles, and sums are rescaled once for BLOCK keys. Why this shape: an invocation that
// computes a whole query has 2 HEAD_SIZE numbers, too many for most of the threads that a GPU needs to hide its latency;
// a quarter of them leaves room for four times as many. Needs subgroups of at least 4 invocations that follow one
// another in the workgroup. Dispatch (ceil(lq / QUERIES), heads, batch).

// needs attention-operands.wgsl

const QUERIES: u32 = 32u;
const STEP: u32 = 16u;
const BLOCK: u32 = 8u; // divides STEP

const PER_LANE = (FOURS + 3u) / 4u; // fours that a lane computes; the last may lie beyond the head
const ROW = 4u * PER_LANE;
const THREADS = 4u * QUERIES;

var<workgroup> k_tile: array<vec4f, STEP * ROW>;
var<workgroup> v_tile: array<vec4f, STEP * ROW>;

fn four_sum(x: f32) -> f32 {
  let pair = x + subgroupShuffleXor(x, 1u);
  return pair + subgroupShuffleXor(pair, 2u);
}

@compute @workgroup_size(THREADS)
fn attention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let head = group.y;
  let batch = group.z;
  let query = group.x * QUERIES + thread / 4u;
  let lane = thread % 4u;
  let column = head * HEAD_SIZE;
  let q_first = params.q_offset + (batch * params.lq + min(query, params.lq - 1u)) * params.q_stride + column;

  var own: array<vec4f, PER_LANE>;
  var sums: array<vec4f, PER_LANE>;
  for (var i = 0u; i < PER_LANE; i++) {
    let f = 4u * i + lane;
    own[i] = select(vec4f(), q_four(q_first, 4u * min(f, FOURS - 1u)) * params.scale, f < FOURS);
  }
  var top = LOWEST;  // largest score so far
  var total = 0.0;   // sum of exp(score - top)

  var end = params.lk;
  if (CAUSAL) {
    end = min(end, (group.x + 1u) * QUERIES);
  }
  for (var first = 0u; first < end; first += STEP) {
    for (var i = thread; i < STEP * ROW; i += THREADS) {
      let key = first + i / ROW;
      let f = i % ROW;
      let token = batch * params.lk + min(key, params.lk - 1u);
      let d = 4u * min(f, FOURS - 1u);
      let is_real = key < params.lk && f < FOURS;
      k_tile[i] = select(vec4f(), k_four(params.k_offset + token * params.k_stride + column, d), is_real);
      v_tile[i] = select(vec4f(), v_four(params.v_offset + token * params.v_stride + column, d), is_real);
    }
    workgroupBarrier();

    for (var block = 0u; block < STEP; block += BLOCK) {
      var weights: array<f32, BLOCK>; // scores, then weights
      var seen: array<bool, BLOCK>;
      var new_top = top;
      for (var j = 0u; j < BLOCK; j++) {
        var score = vec4f();
        for (var i = 0u; i < PER_LANE; i++) {
          score = fma(own[i], k_tile[(block + j) * ROW + 4u * i + lane], score);
        }
        weights[j] = four_sum((score.x + score.y) + (score.z + score.w));
        seen[j] = attended(batch, query, first + block + j);
        new_top = max(new_top, select(LOWEST, weights[j], seen[j]));
      }
      let old = exp(top - new_top);
      top = new_top;
      total *= old;
      for (var j = 0u; j < BLOCK; j++) {
        weights[j] = select(0.0, exp(weights[j] - top), seen[j]);
        total += weights[j];
      }
      for (var i = 0u; i < PER_LANE; i++) {
        var sum = sums[i] * old;
        for (var j = 0u; j < BLOCK; j++) {
          sum = fma(vec4f(weights[j]), v_tile[(block + j) * ROW + 4u * i + lane], sum);
        }
        sums[i] = sum;
      }
    }
    workgroupBarrier();
  }

  if (query >= params.lq) {
    return;
  }
  let any = total != 0.0; // true for NaN too, which must be seen
  let inverse = select(0.0, 1.0 / total, any);
  let o_first = (batch * params.lq + query) * params.o_stride + column;
  for (var i = 0u; i < PER_LANE; i++) {
    let f = 4u * i + lane;
    if (f < FOURS) {
      store(o_first, 4u * f, sums[i] * inverse);
    }
  }
  if (lane == 0u) {
    lse[(batch * params.heads + head) * params.lq + query] = select(NO_KEYS, top + log(total), any);
  }
}
