// Scaled dot-product attention, forward: out = softmax(scale q k^T + masks) v a head, by online softmax
// (Milakov and Gimelshein 2018; Rabe and Staats 2021; Dao et al. 2022): nothing of shape [L, L] is
// written. Also writes lse[batch, heads, Lq] = log sum exp of the scaled, masked scores, from which the
// backward rebuilds the weights as exp(scale q k^T - lse). A row whose keys are all masked yields 0 and lse
// = +3e38, so that its weights rebuild to 0. q, out: [batch, Lq, heads * HEAD_SIZE]; k, v: [batch, Lk,
// heads * HEAD_SIZE], with row strides and first elements in params, so that a fused [.., 3 * width]
// projection is read in place. key_mask: u32 [batch, Lk], 0 = not attended. A workgroup computes QUERIES
// queries of one head, one an invocation, whose q and sums stay in its registers; the keys and values pass
// through workgroup memory KEYS at a time, each element fetched once for QUERIES queries. Why this shape:
// for GPUs without subgroups, where neighbours stage neighbouring elements and all read the same staged element at a time.
// Dispatch (ceil(lq / QUERIES), heads, batch). Workgroup memory 2 KEYS HEAD_SIZE floats: 16 kB at 32 keys
// of 64.

// needs attention-params.wgsl

const QUERIES: u32 = 64u;
const KEYS: u32 = 16u;

@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;

var<workgroup> k_tile: array<f32, KEYS * HEAD_SIZE>;
var<workgroup> v_tile: array<f32, KEYS * HEAD_SIZE>;

@compute @workgroup_size(QUERIES)
fn attention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let head = group.y;
  let batch = group.z;
  let query = group.x * QUERIES + thread;
  let column = head * HEAD_SIZE;

  var q_row: array<f32, HEAD_SIZE>;
  var sums: array<f32, HEAD_SIZE>;
  let q_first = params.q_offset + (batch * params.lq + min(query, params.lq - 1u)) * params.q_stride + column;
  for (var d = 0u; d < HEAD_SIZE; d++) {
    q_row[d] = q[q_first + d] * params.scale;
    sums[d] = 0.0;
  }
  var top = LOWEST;  // largest score so far
  var total = 0.0;   // sum of exp(score - top)

  for (var first = 0u; first < params.lk; first += KEYS) {
    for (var i = thread; i < KEYS * HEAD_SIZE; i += QUERIES) {
      let key = first + i / HEAD_SIZE;
      var k_here = 0.0;
      var v_here = 0.0;
      if (key < params.lk) {
        let token = batch * params.lk + key;
        k_here = k[params.k_offset + token * params.k_stride + column + i % HEAD_SIZE];
        v_here = v[params.v_offset + token * params.v_stride + column + i % HEAD_SIZE];
      }
      k_tile[i] = k_here;
      v_tile[i] = v_here;
    }
    workgroupBarrier();

    for (var j = 0u; j < KEYS; j++) {
      if (!attended(batch, query, first + j)) {
        continue;
      }
      var score = 0.0;
      for (var d = 0u; d < HEAD_SIZE; d++) {
        score += q_row[d] * k_tile[j * HEAD_SIZE + d];
      }
      let new_top = max(top, score);
      let old = exp(top - new_top);
      let weight = exp(score - new_top);
      top = new_top;
      total = total * old + weight;
      for (var d = 0u; d < HEAD_SIZE; d++) {
        sums[d] = sums[d] * old + weight * v_tile[j * HEAD_SIZE + d];
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
  for (var d = 0u; d < HEAD_SIZE; d++) {
    out[o_first + d] = sums[d] * inverse;
  }
  lse[(batch * params.heads + head) * params.lq + query] = select(NO_KEYS, top + log(total), any);
}
