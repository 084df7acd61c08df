// What the ragged mean attention kernels share: operands, masks and loads of four features at a time.

// needs linear-index.wgsl
// needs numbers.wgsl

struct Params {
  rows: u32,     // R, of all entities
  entities: u32, // E
  mentions: u32, // end of those that this dispatch computes, at most M
  before: u32,   // the first of them
  skip: u32,     // elements bound as average_weights before theirs
  keys: u32,     // Lk
  width: u32,    // h
  run: u32,      // consecutive entities that a workgroup computes
  scale: f32,    // 1 / sqrt(h)
  nan: f32,      // no constant: WGSL refuses to write one
}

const VECTOR: bool = false; // h is a multiple of 4
const MASKED: bool = false; // only the pairs that pair_mask names count

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> offsets: array<i32>;
@group(0) @binding(3) var<storage, read> k: array<vec4f>;
@group(0) @binding(4) var<storage, read> key_mask: array<i32>;
@group(0) @binding(5) var<storage, read_write> average_weights: array<f32>;
@group(0) @binding(6) var<storage, read> pair_mask: array<u32>; // [M, E], not 0 on pairs that count

// Finite stand-in for -infinity, which WGSL lets a compiler assume away.
const LOWEST: f32 = -3e38;

/** Where the rows of an entity begin; of entity E: where all end. Within q, whatever `offsets` holds. */
fn first_row(entity: u32) -> u32 {
  return min(u32(max(offsets[entity], 0)), params.rows);
}

/** Where the average weight of the first key of an owned mention with an entity is. */
fn place(mention: u32, entity: u32) -> u32 {
  return params.skip + ((mention - params.before) * params.entities + entity) * params.keys;
}

fn is_in_mask(mention: u32, entity: u32) -> bool {
  return !MASKED || pair_mask[mention * params.entities + entity] != 0u;
}

fn is_key(mention: u32, key: u32) -> bool {
  let exists = mention < params.mentions && key < params.keys;
  return exists && key_mask[select(0u, mention * params.keys + key, exists)] != 0;
}

fn keep(d: u32, x: f32) -> f32 {
  return select(0.0, x, d < params.width);
}

/** Features d .. d + 3 of the row of q that begins at element i; those beyond h are 0. */
fn q_four(i: u32, d: u32) -> vec4f {
  let e = i + d;
  if (VECTOR) {
    return q[e >> 2u];
  }
  return vec4f(
    keep(d, q[e >> 2u][e & 3u]),
    keep(d + 1u, q[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, q[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, q[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}

/** The same of a key of a mention; the last key stands for those beyond. */
fn k_four(mention: u32, key: u32, d: u32) -> vec4f {
  let token = min(mention, params.mentions - 1u) * params.keys + min(key, params.keys - 1u);
  let e = token * params.width + d;
  if (VECTOR) {
    return k[e >> 2u];
  }
  return vec4f(
    keep(d, k[e >> 2u][e & 3u]),
    keep(d + 1u, k[(e + 1u) >> 2u][(e + 1u) & 3u]),
    keep(d + 2u, k[(e + 2u) >> 2u][(e + 2u) & 3u]),
    keep(d + 3u, k[(e + 3u) >> 2u][(e + 3u) & 3u]),
  );
}
