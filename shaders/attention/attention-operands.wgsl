// What the attention kernels that read fours share: operands, masks and loads of four features at a time.

// needs attention-params.wgsl

// HEAD_SIZE, the strides and the offsets of q, k and v are multiples of 4.
const VECTOR: bool = false;
const FOURS: u32 = (HEAD_SIZE + 3u) / 4u; // groups of four features; the last may be partly beyond the head
const PANELS: u32 = (HEAD_SIZE + 31u) / 32u; // of 32 features, 4 a lane

@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;

fn keep(d: u32, x: f32) -> f32 {
  return select(0.0, x, d < HEAD_SIZE);
}

/** Features d .. d + 3 of the row of q from element i; those beyond the head are 0. */
fn q_four(i: u32, d: u32) -> vec4f {
  if (VECTOR) {
    return q[(i + d) >> 2u];
  }
  let e = i + d;
  return vec4f(
    keep(d, q[e >> 2u][e & 3u]),
    keep(d + 1u, q[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, q[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, q[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}

fn k_four(i: u32, d: u32) -> vec4f {
  if (VECTOR) {
    return k[(i + d) >> 2u];
  }
  let e = i + d;
  return vec4f(
    keep(d, k[e >> 2u][e & 3u]),
    keep(d + 1u, k[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, k[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, k[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}

fn v_four(i: u32, d: u32) -> vec4f {
  if (VECTOR) {
    return v[(i + d) >> 2u];
  }
  let e = i + d;
  return vec4f(
    keep(d, v[e >> 2u][e & 3u]),
    keep(d + 1u, v[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, v[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, v[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}

fn store(row: u32, d: u32, x: vec4f) {
  out[row + d] = x.x;
  if (d + 1u < HEAD_SIZE) {
    out[row + d + 1u] = x.y;
  }
  if (d + 2u < HEAD_SIZE) {
    out[row + d + 2u] = x.z;
  }
  if (d + 3u < HEAD_SIZE) {
    out[row + d + 3u] = x.w;
  }
}

/** k[key .. key + 3, d .. d + 3] of one head, a column of the matrix for each feature. */
fn k_block(base: u32, key: u32, d: u32) -> mat4x4f {
  let last = params.lk - 1u;
  return transpose(mat4x4f(
    k_four(base + min(key, last) * params.k_stride, d),
    k_four(base + min(key + 1u, last) * params.k_stride, d),
    k_four(base + min(key + 2u, last) * params.k_stride, d),
    k_four(base + min(key + 3u, last) * params.k_stride, d),
  ));
}

/**
 * v[key .. key + 3, d .. d + 3] of one head, a column of the matrix for each key; 0 for keys beyond the
 * last.
 */
fn v_block(base: u32, key: u32, d: u32) -> mat4x4f {
  let n = params.lk;
  let last = n - 1u;
  let none = vec4f();
  return mat4x4f(
    select(none, v_four(base + min(key, last) * params.v_stride, d), key < n),
    select(none, v_four(base + min(key + 1u, last) * params.v_stride, d), key + 1u < n),
    select(none, v_four(base + min(key + 2u, last) * params.v_stride, d), key + 2u < n),
    select(none, v_four(base + min(key + 3u, last) * params.v_stride, d), key + 3u < n),
  );
}

/** The score, or LOWEST where the key is not attended. */
fn masked(batch: u32, query: u32, key: u32, scores: vec4f) -> vec4f {
  return vec4f(
    select(LOWEST, scores.x, attended(batch, query, key)),
    select(LOWEST, scores.y, attended(batch, query, key + 1u)),
    select(LOWEST, scores.z, attended(batch, query, key + 2u)),
    select(LOWEST, scores.w, attended(batch, query, key + 3u)),
  );
}

/** exp(scores - top), exactly 0 where the key is not attended. */
fn weights(scores: vec4f, top: f32) -> vec4f {
  return select(exp(scores - top), vec4f(), scores == vec4f(LOWEST));
}
