enable subgroups;

// Gradients of scaled dot-product attention for CPU adapters whose subgroups have at least 8 invocations. The formulas
// and shapes are those of attention-backward.wgsl, which also makes `dots`:
//   p_ij = exp(scale q_i.k_j - lse_i),  ds_ij = scale p_ij (dout_i . v_j - dot_i)
//   dq_i = sum_j ds_ij k_j                               (`queries`: own are q and dout, other are k and v)
//   dk_j = sum_i ds_ij q_i,  dv_j = sum_i p_ij dout_i    (`keys`: own are k and v, other are q and dout)
// Seen from its own side each is the same work: two products give s = own_a other_a^T and dp = own_b other_b^T, which
// become ds and p; then first_gradient = ds other_a and, for keys, second_gradient = p other_b.
// A workgroup of 8 lanes computes 16 rows of one head and takes the other side 32 rows at a time. Lane l computes s and
// dp of the other rows 4 l .. 4 l + 3 with all 16 own rows, whose features the lanes hold in turn and broadcast; of the
// gradients it computes the features 4 l .. 4 l + 3 (and 32, 64, 96 further) and takes ds and p by broadcast. Why this
// shape: on a CPU adapter loading an element costs tens of multiply-adds from any memory, a broadcast about one; what
// is loaded serves 16 or 32 rows here, and s, p and ds stay in named registers, as a dynamic index costs as
// much as a load. Dispatch (ceil(own length / 16), heads, batch).

struct Params {
  heads: u32,
  lq: u32,
  lk: u32,
  scale: f32,
}

const HEAD_SIZE: u32 = 64u;  // 1 to 128
const CAUSAL: bool = false;  // query i sees the keys 0 to i
const HAS_KEY_MASK: bool = false;
const VECTOR: bool = false;  // HEAD_SIZE is a multiple of 4
const FOURS: u32 = (HEAD_SIZE + 3u) / 4u;    // groups of four features; the last may be partly beyond the head
const PANELS: u32 = (HEAD_SIZE + 31u) / 32u; // of 32 features, 4 a lane

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> own_a: array<vec4f>;   // q, or k
@group(0) @binding(2) var<storage, read> own_b: array<vec4f>;   // dout, or v
@group(0) @binding(3) var<storage, read> other_a: array<vec4f>; // k, or q
@group(0) @binding(4) var<storage, read> other_b: array<vec4f>; // v, or dout
@group(0) @binding(5) var<storage, read> lse: array<f32>;
@group(0) @binding(6) var<storage, read> dots: array<f32>;
@group(0) @binding(7) var<storage, read> key_mask: array<u32>;
@group(0) @binding(8) var<storage, read_write> first_gradient: array<f32>;  // dq, or dk
@group(0) @binding(9) var<storage, read_write> second_gradient: array<f32>; // dv

/** Four values for each of the 16 own rows. */
struct Rows {
  r00: vec4f, r01: vec4f, r02: vec4f, r03: vec4f, r04: vec4f, r05: vec4f, r06: vec4f, r07: vec4f,
  r08: vec4f, r09: vec4f, r10: vec4f, r11: vec4f, r12: vec4f, r13: vec4f, r14: vec4f, r15: vec4f,
}

/** What a lane knows of its four other rows. */
struct Others {
  index: vec4u,
  seen: vec4<bool>, // they exist and, if they are keys, are not masked
  lse: vec4f,       // of queries only, as the next
  dots: vec4f,
}

/** Sums of a gradient: [panel, own row]. In memory: as named values they would take the compiler many seconds. */
alias Sums = array<vec4f, 16u * PANELS>;

struct Weights {
  p: vec4f,
  ds: vec4f,
}

/** First element of a token's row of one head. */
fn row_start(group: vec3u, length: u32, token: u32) -> u32 {
  return ((group.z * length + min(token, length - 1u)) * params.heads + group.y) * HEAD_SIZE;
}

/** First elements of the rows token .. token + 3. */
fn row_starts(group: vec3u, length: u32, token: u32) -> vec4u {
  return vec4u(
    row_start(group, length, token), row_start(group, length, token + 1u),
    row_start(group, length, token + 2u), row_start(group, length, token + 3u),
  );
}

/** Zeroes the features beyond the head that the last group of four may hold. */
fn within(d: u32, x: vec4f) -> vec4f {
  return select(vec4f(), x, vec4u(d, d + 1u, d + 2u, d + 3u) < vec4u(HEAD_SIZE));
}

/** Features d .. d + 3 of the row that starts at element `start` of own_a, or own_b. */
fn own_four(b: bool, start: u32, d: u32) -> vec4f {
  let i = start + d;
  if VECTOR && b { return own_b[i >> 2u]; }
  if VECTOR { return own_a[i >> 2u]; }
  if b {
    return within(d, vec4f(own_b[i >> 2u][i & 3u], own_b[(i + 1u) >> 2u][(i + 1u) & 3u],
                           own_b[(i + 2u) >> 2u][(i + 2u) & 3u], own_b[(i + 3u) >> 2u][(i + 3u) & 3u]));
  }
  return within(d, vec4f(own_a[i >> 2u][i & 3u], own_a[(i + 1u) >> 2u][(i + 1u) & 3u],
                         own_a[(i + 2u) >> 2u][(i + 2u) & 3u], own_a[(i + 3u) >> 2u][(i + 3u) & 3u]));
}

fn other_four(b: bool, start: u32, d: u32) -> vec4f {
  let i = start + d;
  if VECTOR && b { return other_b[i >> 2u]; }
  if VECTOR { return other_a[i >> 2u]; }
  if b {
    return within(d, vec4f(other_b[i >> 2u][i & 3u], other_b[(i + 1u) >> 2u][(i + 1u) & 3u],
                           other_b[(i + 2u) >> 2u][(i + 2u) & 3u], other_b[(i + 3u) >> 2u][(i + 3u) & 3u]));
  }
  return within(d, vec4f(other_a[i >> 2u][i & 3u], other_a[(i + 1u) >> 2u][(i + 1u) & 3u],
                         other_a[(i + 2u) >> 2u][(i + 2u) & 3u], other_a[(i + 3u) >> 2u][(i + 3u) & 3u]));
}

/** Features d .. d + 3 of four other rows, a column for each row. */
fn other_block(b: bool, starts: vec4u, d: u32) -> mat4x4f {
  return mat4x4f(
    other_four(b, starts.x, d), other_four(b, starts.y, d), other_four(b, starts.z, d), other_four(b, starts.w, d),
  );
}

/** own_a other_a^T (own_b other_b^T) for the 16 own rows, two loaded by each lane, and a lane's four other rows. */
fn product(b: bool, own0: u32, own1: u32, starts: vec4u, fours: u32) -> Rows {
  var s = Rows();
  for (var f = 0u; f < fours; f++) {
    let block = transpose(other_block(b, starts, 4u * f));
    let low = own_four(b, own0, 4u * f);
    let high = own_four(b, own1, 4u * f);
    s.r00 += block * subgroupBroadcast(low, 0u);
    s.r01 += block * subgroupBroadcast(low, 1u);
    s.r02 += block * subgroupBroadcast(low, 2u);
    s.r03 += block * subgroupBroadcast(low, 3u);
    s.r04 += block * subgroupBroadcast(low, 4u);
    s.r05 += block * subgroupBroadcast(low, 5u);
    s.r06 += block * subgroupBroadcast(low, 6u);
    s.r07 += block * subgroupBroadcast(low, 7u);
    s.r08 += block * subgroupBroadcast(high, 0u);
    s.r09 += block * subgroupBroadcast(high, 1u);
    s.r10 += block * subgroupBroadcast(high, 2u);
    s.r11 += block * subgroupBroadcast(high, 3u);
    s.r12 += block * subgroupBroadcast(high, 4u);
    s.r13 += block * subgroupBroadcast(high, 5u);
    s.r14 += block * subgroupBroadcast(high, 6u);
    s.r15 += block * subgroupBroadcast(high, 7u);
  }
  return s;
}

/** What there is to know of the rows index .. index + 3 of the other side. */
fn see(of_keys: bool, group: vec3u, index: u32) -> Others {
  let length = select(params.lk, params.lq, of_keys);
  let i = vec4u(index, index + 1u, index + 2u, index + 3u);
  let safe = min(i, vec4u(length - 1u));
  var others = Others(i, i < vec4u(length), vec4f(), vec4f());
  if of_keys {
    let at = safe + (group.z * params.heads + group.y) * params.lq;
    others.lse = vec4f(lse[at.x], lse[at.y], lse[at.z], lse[at.w]);
    others.dots = vec4f(dots[at.x], dots[at.y], dots[at.z], dots[at.w]);
  } else if HAS_KEY_MASK {
    let at = safe + group.z * params.lk;
    others.seen = others.seen
      & (vec4u(key_mask[at.x], key_mask[at.y], key_mask[at.z], key_mask[at.w]) != vec4u());
  }
  return others;
}

/** Of an own query its (lse, dot); of an own key (1 if not masked, 0). */
fn about(of_keys: bool, group: vec3u, index: u32) -> vec2f {
  if of_keys {
    if HAS_KEY_MASK {
      return vec2f(select(0.0, 1.0, key_mask[group.z * params.lk + min(index, params.lk - 1u)] != 0u), 0.0);
    }
    return vec2f(1.0, 0.0);
  }
  let at = (group.z * params.heads + group.y) * params.lq + min(index, params.lq - 1u);
  return vec2f(lse[at], dots[at]);
}

/** p and ds of own row `own`, of which `known` is what `about` says, with a lane's four other rows. */
fn weigh(of_keys: bool, others: Others, own: u32, known: vec2f, s: vec4f, dp: vec4f) -> Weights {
  var seen = others.seen;
  if of_keys && HAS_KEY_MASK { seen = seen & vec4<bool>(known.x != 0.0); }
  if of_keys && CAUSAL { seen = seen & (vec4u(own) <= others.index); }
  if !of_keys && CAUSAL { seen = seen & (others.index <= vec4u(own)); }
  let p = exp(params.scale * s - select(vec4f(known.x), others.lse, of_keys));
  let ds = params.scale * p * (dp - select(vec4f(known.y), others.dots, of_keys));
  return Weights(select(vec4f(), p, seen), select(vec4f(), ds, seen));
}

/** Adds w^T other_a (w^T other_b) over the 32 other rows from `first` to the sums. */
fn accumulate(b: bool, sums: ptr<function, Sums>, w: Rows, group: vec3u, length: u32, first: u32, lane: u32) {
  for (var panel = 0u; panel < PANELS; panel++) {
    // A lane beyond the last features repeats them and stores nothing.
    let d = min(32u * panel + 4u * lane, 4u * FOURS - 4u);
    let at = 16u * panel;
    var y = Rows(
      (*sums)[at + 0u], (*sums)[at + 1u], (*sums)[at + 2u], (*sums)[at + 3u],
      (*sums)[at + 4u], (*sums)[at + 5u], (*sums)[at + 6u], (*sums)[at + 7u],
      (*sums)[at + 8u], (*sums)[at + 9u], (*sums)[at + 10u], (*sums)[at + 11u],
      (*sums)[at + 12u], (*sums)[at + 13u], (*sums)[at + 14u], (*sums)[at + 15u],
    );
    for (var source = 0u; source < 8u && first + 4u * source < length; source++) {
      let block = other_block(b, row_starts(group, length, first + 4u * source), d);
      y.r00 += block * subgroupShuffle(w.r00, source);
      y.r01 += block * subgroupShuffle(w.r01, source);
      y.r02 += block * subgroupShuffle(w.r02, source);
      y.r03 += block * subgroupShuffle(w.r03, source);
      y.r04 += block * subgroupShuffle(w.r04, source);
      y.r05 += block * subgroupShuffle(w.r05, source);
      y.r06 += block * subgroupShuffle(w.r06, source);
      y.r07 += block * subgroupShuffle(w.r07, source);
      y.r08 += block * subgroupShuffle(w.r08, source);
      y.r09 += block * subgroupShuffle(w.r09, source);
      y.r10 += block * subgroupShuffle(w.r10, source);
      y.r11 += block * subgroupShuffle(w.r11, source);
      y.r12 += block * subgroupShuffle(w.r12, source);
      y.r13 += block * subgroupShuffle(w.r13, source);
      y.r14 += block * subgroupShuffle(w.r14, source);
      y.r15 += block * subgroupShuffle(w.r15, source);
    }
    (*sums)[at + 0u] = y.r00;
    (*sums)[at + 1u] = y.r01;
    (*sums)[at + 2u] = y.r02;
    (*sums)[at + 3u] = y.r03;
    (*sums)[at + 4u] = y.r04;
    (*sums)[at + 5u] = y.r05;
    (*sums)[at + 6u] = y.r06;
    (*sums)[at + 7u] = y.r07;
    (*sums)[at + 8u] = y.r08;
    (*sums)[at + 9u] = y.r09;
    (*sums)[at + 10u] = y.r10;
    (*sums)[at + 11u] = y.r11;
    (*sums)[at + 12u] = y.r12;
    (*sums)[at + 13u] = y.r13;
    (*sums)[at + 14u] = y.r14;
    (*sums)[at + 15u] = y.r15;
  }
}

/** Writes the sums of the own rows. */
fn store(second: bool, sums: ptr<function, Sums>, group: vec3u, length: u32, rows: u32, lane: u32) {
  // Bounds unknown to the compiler, here and for `fours`: unrolled, such loops would be most of the compile time.
  for (var r = 0u; r < rows; r++) {
    let at = row_start(group, length, group.x * 16u + r);
    for (var panel = 0u; panel < PANELS; panel++) {
      let x = (*sums)[16u * panel + r];
      let d = 32u * panel + 4u * lane;
      for (var c = 0u; c < min(4u, max(d, HEAD_SIZE) - d); c++) {
        if second { second_gradient[at + d + c] = x[c]; } else { first_gradient[at + d + c] = x[c]; }
      }
    }
  }
}

fn gradients(of_keys: bool, group: vec3u, lane: u32) {
  let own_length = select(params.lq, params.lk, of_keys);
  let other_length = select(params.lk, params.lq, of_keys);
  let own = group.x * 16u;
  let own0 = row_start(group, own_length, own + lane);
  let own1 = row_start(group, own_length, own + 8u + lane);
  let low = about(of_keys, group, own + lane);
  let high = about(of_keys, group, own + 8u + lane);
  let fours = select(FOURS, 0u, params.heads == 0u);
  var first_sums: Sums;
  var second_sums: Sums;

  var begin = 0u;
  var end = other_length;
  if CAUSAL && of_keys { begin = own / 32u * 32u; }
  if CAUSAL && !of_keys { end = min(end, own + 16u); }
  for (var first = begin; first < end; first += 32u) {
    let starts = row_starts(group, other_length, first + 4u * lane);
    let s = product(false, own0, own1, starts, fours);
    let dp = product(true, own0, own1, starts, fours);
    let others = see(of_keys, group, first + 4u * lane);
    var p: Rows;
    var ds: Rows;
    var w: Weights;
    w = weigh(of_keys, others, own + 0u, subgroupBroadcast(low, 0u), s.r00, dp.r00);
    p.r00 = w.p;
    ds.r00 = w.ds;
    w = weigh(of_keys, others, own + 1u, subgroupBroadcast(low, 1u), s.r01, dp.r01);
    p.r01 = w.p;
    ds.r01 = w.ds;
    w = weigh(of_keys, others, own + 2u, subgroupBroadcast(low, 2u), s.r02, dp.r02);
    p.r02 = w.p;
    ds.r02 = w.ds;
    w = weigh(of_keys, others, own + 3u, subgroupBroadcast(low, 3u), s.r03, dp.r03);
    p.r03 = w.p;
    ds.r03 = w.ds;
    w = weigh(of_keys, others, own + 4u, subgroupBroadcast(low, 4u), s.r04, dp.r04);
    p.r04 = w.p;
    ds.r04 = w.ds;
    w = weigh(of_keys, others, own + 5u, subgroupBroadcast(low, 5u), s.r05, dp.r05);
    p.r05 = w.p;
    ds.r05 = w.ds;
    w = weigh(of_keys, others, own + 6u, subgroupBroadcast(low, 6u), s.r06, dp.r06);
    p.r06 = w.p;
    ds.r06 = w.ds;
    w = weigh(of_keys, others, own + 7u, subgroupBroadcast(low, 7u), s.r07, dp.r07);
    p.r07 = w.p;
    ds.r07 = w.ds;
    w = weigh(of_keys, others, own + 8u, subgroupBroadcast(high, 0u), s.r08, dp.r08);
    p.r08 = w.p;
    ds.r08 = w.ds;
    w = weigh(of_keys, others, own + 9u, subgroupBroadcast(high, 1u), s.r09, dp.r09);
    p.r09 = w.p;
    ds.r09 = w.ds;
    w = weigh(of_keys, others, own + 10u, subgroupBroadcast(high, 2u), s.r10, dp.r10);
    p.r10 = w.p;
    ds.r10 = w.ds;
    w = weigh(of_keys, others, own + 11u, subgroupBroadcast(high, 3u), s.r11, dp.r11);
    p.r11 = w.p;
    ds.r11 = w.ds;
    w = weigh(of_keys, others, own + 12u, subgroupBroadcast(high, 4u), s.r12, dp.r12);
    p.r12 = w.p;
    ds.r12 = w.ds;
    w = weigh(of_keys, others, own + 13u, subgroupBroadcast(high, 5u), s.r13, dp.r13);
    p.r13 = w.p;
    ds.r13 = w.ds;
    w = weigh(of_keys, others, own + 14u, subgroupBroadcast(high, 6u), s.r14, dp.r14);
    p.r14 = w.p;
    ds.r14 = w.ds;
    w = weigh(of_keys, others, own + 15u, subgroupBroadcast(high, 7u), s.r15, dp.r15);
    p.r15 = w.p;
    ds.r15 = w.ds;
    accumulate(false, &first_sums, ds, group, other_length, first, lane);
    if of_keys { accumulate(true, &second_sums, p, group, other_length, first, lane); }
  }

  let rows = min(16u, own_length - own);
  store(false, &first_sums, group, own_length, rows, lane);
  if of_keys { store(true, &second_sums, group, own_length, rows, lane); }
}

@compute @workgroup_size(8)
fn queries(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  gradients(false, group, lane);
}

@compute @workgroup_size(8)
fn keys(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  gradients(true, group, lane);
}
