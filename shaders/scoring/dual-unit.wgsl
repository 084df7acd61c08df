// The vision unit's score of a pair, once everything of width h is in per-side vectors (model/vision-vectors.ts has the
// derivation). A side's vectors [n, 6 h]: as a query q, r, b, as a key v, a, k, all centred. Of each of the two
// directions a pair needs five products: v.q, a.r, a.b, k.r, k.b; what else there is are scalars of one side.
//   side:    scalars [n, 16] from given [n, 3] and the vectors: an invocation computes a row
//   combine: y[m, e] = base[m, e] + the mean of both directions' scores, from products [10, M, E]; an invocation computes
//            an entity and ITEMS mentions, so that the entity's scalars are read once

const ITEMS: u32 = 8u;

// needs exponential.wgsl
// needs linear-index.wgsl

struct Params {
  mentions: u32, // M; in `side` n
  entities: u32, // E
  h: u32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> vectors: array<f32>;
@group(0) @binding(2) var<storage, read> given: array<f32>; // w.Aq, r's product with beta_2, w.Av
// Of the direction where this side asks and of the one where it is asked: d [h] each, and w.c0 + b_g of the former.
@group(0) @binding(3) var<storage, read> asking: array<f32>;
@group(0) @binding(4) var<storage, read> asked: array<f32>;
@group(0) @binding(5) var<storage, read> gate_offset: array<f32>;
@group(0) @binding(6) var<storage, read_write> scalars: array<vec4f>; // [n, 4]
@group(0) @binding(7) var<storage, read> products: array<f32>;
@group(0) @binding(8) var<storage, read> mention: array<vec4f>; // scalars
@group(0) @binding(9) var<storage, read> entity: array<vec4f>;
@group(0) @binding(10) var<storage, read> base: array<f32>;
@group(0) @binding(11) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn side(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let row = linear_index(group, groups, lane);
  if row >= params.mentions { return; }
  var squares = vec4f(); // q.q, b.b, v.v, a.a
  var query = vec4f(); // b.r, b.d, r.d, d.d
  var key = vec4f(); // k.k, a.d, a.k, k.d
  for (var i = 0u; i < params.h; i++) {
    let at = row * 6u * params.h + i;
    let q = vectors[at];
    let r = vectors[at + params.h];
    let b = vectors[at + 2u * params.h];
    let v = vectors[at + 3u * params.h];
    let a = vectors[at + 4u * params.h];
    let k = vectors[at + 5u * params.h];
    let d = asking[i];
    let e = asked[i];
    squares += vec4f(q * q, b * b, v * v, a * a);
    query += vec4f(b * r, b * d, r * d, d * d);
    key += vec4f(k * k, a * e, a * k, k * e);
  }
  scalars[4u * row] = vec4f(squares.x, squares.y, query.x, query.y);
  scalars[4u * row + 1u] = vec4f(query.z, given[3u * row], given[3u * row + 1u], gate_offset[0]);
  scalars[4u * row + 2u] = vec4f(squares.z, squares.w, key.x, key.y);
  scalars[4u * row + 3u] = vec4f(key.z, key.w, given[3u * row + 2u], query.w);
}

/** 1 / sqrt(squares / h + eps). A sum of squares that rounding made negative is 0; NaN stays. */
fn inverse_deviation(squares: f32) -> f32 {
  return 1.0 / sqrt(select(squares, 0.0, squares < 0.0) / f32(params.h) + params.eps);
}

/**
 * The score in one direction. p: v.q, a.r, a.b, k.r; kb: k.b. Scalars of the query: (q.q, b.b, b.r, b.d), (r.d, w.Aq,
 * beta_2.LN_2(q), w.c0 + b_g); of the key: (v.v, a.a, k.k, a.d), (a.k, k.d, w.Av, -); dd: d.d.
 */
fn direction(p: vec4f, kb: f32, query0: vec4f, query1: vec4f, key0: vec4f, key1: vec4f, dd: f32) -> f32 {
  let inverse = inverse_deviation(key0.x + query0.x + 2.0 * p.x);
  let gate = tanh_of((key1.z + query1.y) * inverse + query1.w);
  let cr = (p.y + query0.z) * inverse + query1.x;
  let ck = (key1.x + kb) * inverse + key1.y;
  let cc = ((key0.y + query0.y + 2.0 * p.z) * inverse + 2.0 * (key0.w + query0.w)) * inverse + dd;
  let squares = gate * (gate * cc + 2.0 * ck) + key0.z;
  return (gate * cr + p.w) * inverse_deviation(squares) + query1.z;
}

@compute @workgroup_size(64)
fn combine(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let e = group.x * 64u + lane;
  if e >= params.entities { return; }
  let e0 = entity[4u * e];
  let e1 = entity[4u * e + 1u];
  let e2 = entity[4u * e + 2u];
  let e3 = entity[4u * e + 3u];
  let plane = params.mentions * params.entities;
  let last = min(params.mentions, (group.y + 1u) * ITEMS);
  for (var m = group.y * ITEMS; m < last; m++) {
    let m0 = mention[4u * m];
    let m1 = mention[4u * m + 1u];
    let m2 = mention[4u * m + 2u];
    let m3 = mention[4u * m + 3u];
    let at = m * params.entities + e;
    // From entity to mention: the entity asks.
    let p = vec4f(products[at], products[at + plane], products[at + 2u * plane], products[at + 3u * plane]);
    let to_mention = direction(p, products[at + 4u * plane], e0, e1, m2, m3, e3.w);
    let other = at + 5u * plane;
    let t = vec4f(products[other], products[other + plane], products[other + 2u * plane],
                  products[other + 3u * plane]);
    let to_entity = direction(t, products[other + 4u * plane], m0, m1, e2, e3, m3.w);
    y[at] = base[at] + 0.5 * (to_mention + to_entity);
  }
}
