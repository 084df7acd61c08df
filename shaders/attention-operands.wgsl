// What the attention kernels that read fours share: operands, masks and loads of four features at a time.

struct Params {
  heads: u32,
  lq: u32,       // queries a sequence
  lk: u32,       // keys a sequence
  q_stride: u32, // elements from one token to the next; a sequence holds lq (lk) tokens
  k_stride: u32,
  v_stride: u32,
  o_stride: u32,
  q_offset: u32, // first element of q in its buffer; the same of k and v
  k_offset: u32,
  v_offset: u32,
  scale: f32,    // 1 / sqrt(HEAD_SIZE) in the usual case
}

const HEAD_SIZE: u32 = 64u;        // 1 to 128
const CAUSAL: bool = false;        // query i sees the keys 0 to i
const HAS_KEY_MASK: bool = false;
// HEAD_SIZE, the strides and the offsets of q, k and v are multiples of 4.
const VECTOR: bool = false;
const FOURS: u32 = (HEAD_SIZE + 3u) / 4u; // groups of four features; the last may be partly beyond the head

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<storage, read> key_mask: array<u32>;

// Finite stand-in for -infinity, which WGSL lets a compiler assume away. A masked score is set to it.
const LOWEST: f32 = -3e38;
const NO_KEYS: f32 = 3e38; // lse of a row without keys

fn attended(batch: u32, query: u32, key: u32) -> bool {
  var yes = key < params.lk;
  if (CAUSAL) {
    yes = yes && key <= query;
  }
  if (HAS_KEY_MASK) {
    yes = yes && key_mask[batch * params.lk + min(key, params.lk - 1u)] != 0u;
  }
  return yes;
}

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
