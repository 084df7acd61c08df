// What the kernels of attention's gradients share: operands, masks and loads of four features at a time.

// needs attention-masks.wgsl

struct Params {
  heads: u32,
  lq: u32,
  lk: u32,
  scale: f32,
}

const HEAD_SIZE: u32 = 64u;  // 1 to 128
const VECTOR: bool = false;  // HEAD_SIZE is a multiple of 4
const FOURS: u32 = (HEAD_SIZE + 3u) / 4u; // groups of four features; the last may be partly beyond the head

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> dout: array<vec4f>;
@group(0) @binding(5) var<storage, read> lse: array<f32>;
@group(0) @binding(6) var<storage, read> dots: array<f32>;
@group(0) @binding(7) var<storage, read> key_mask: array<u32>;
@group(0) @binding(8) var<storage, read_write> first_gradient: array<f32>;  // dq, dk or the dots
@group(0) @binding(9) var<storage, read_write> second_gradient: array<f32>; // dv

/** Whether both exist and the query attends to the key. */
fn is_pair(batch: u32, query: u32, key: u32) -> bool {
  return query < params.lq && attended(batch, query, key);
}

/** First element of a token's row of one head. */
fn row_start(batch: u32, head: u32, length: u32, token: u32) -> u32 {
  return ((batch * length + min(token, length - 1u)) * params.heads + head) * HEAD_SIZE;
}

/** Zeroes the features beyond the head that the last group of four may hold. */
fn within(d: u32, x: vec4f) -> vec4f {
  return select(vec4f(), x, vec4u(d, d + 1u, d + 2u, d + 3u) < vec4u(HEAD_SIZE));
}

fn q_four(start: u32, f: u32) -> vec4f {
  let i = start + 4u * f;
  if VECTOR { return q[i >> 2u]; }
  return within(4u * f, vec4f(q[i >> 2u][i & 3u], q[(i + 1u) >> 2u][(i + 1u) & 3u],
                              q[(i + 2u) >> 2u][(i + 2u) & 3u], q[(i + 3u) >> 2u][(i + 3u) & 3u]));
}

fn k_four(start: u32, f: u32) -> vec4f {
  let i = start + 4u * f;
  if VECTOR { return k[i >> 2u]; }
  return within(4u * f, vec4f(k[i >> 2u][i & 3u], k[(i + 1u) >> 2u][(i + 1u) & 3u],
                              k[(i + 2u) >> 2u][(i + 2u) & 3u], k[(i + 3u) >> 2u][(i + 3u) & 3u]));
}

fn v_four(start: u32, f: u32) -> vec4f {
  let i = start + 4u * f;
  if VECTOR { return v[i >> 2u]; }
  return within(4u * f, vec4f(v[i >> 2u][i & 3u], v[(i + 1u) >> 2u][(i + 1u) & 3u],
                              v[(i + 2u) >> 2u][(i + 2u) & 3u], v[(i + 3u) >> 2u][(i + 3u) & 3u]));
}

fn dout_four(start: u32, f: u32) -> vec4f {
  let i = start + 4u * f;
  if VECTOR { return dout[i >> 2u]; }
  return within(4u * f, vec4f(dout[i >> 2u][i & 3u], dout[(i + 1u) >> 2u][(i + 1u) & 3u],
                              dout[(i + 2u) >> 2u][(i + 2u) & 3u], dout[(i + 3u) >> 2u][(i + 3u) & 3u]));
}
