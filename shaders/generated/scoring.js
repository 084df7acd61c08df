// Made by `node shaders/generate.ts` from shaders/scoring; do not edit.

export const scoring = /** @type {const} */ ({
  'context-score': {
    code: /** @type {string} */ (`








struct Params {
  pairs: u32,
  entities: u32,
  h: u32,
  scalars: f32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> c: array<Element>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read> global: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(THREADS)
fn score(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
         @builtin(local_invocation_index) thread: u32) {
  let pair = row_of(group, groups, thread);
  let exists = pair < params.pairs;

  let h = select(0u, params.h, exists);
  let entity = select(0u, pair % params.entities, exists);
  var own_dot = Element();
  var own_squares = Element();
  for (var i = thread % LANES; i < h; i += LANES) {
    let v = x[pair * params.h + i];
    own_dot += v * c[entity * params.h + i];
    own_squares += v * v;
  }
  let product = across(total(own_dot), thread, false);
  let squares = across(total(own_squares), thread, false);
  if exists && thread % LANES == 0u {
    let local = product / sqrt(squares / params.scalars + params.eps) + b[entity];
    y[pair] = 0.5 * (local + global[pair]);
  }
}





alias Element = f32;
const SHARE: f32 = 0.25;


fn total(e: Element) -> f32 {
  return dot(vec4f(e), vec4f(SHARE));
}





const LANES: u32 = 1u;
const ROWS: u32 = 8u;
const THREADS: u32 = LANES * ROWS;

var<workgroup> shared_values: array<f32, THREADS>;


fn row_of(group: vec3u, groups: vec3u, thread: u32) -> u32 {
  return linear_group(group, groups) * ROWS + thread / LANES;
}


fn across(v: f32, thread: u32, maximum: bool) -> f32 {
  if LANES == 1u { return v; }
  shared_values[thread] = v;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if thread % LANES < half {
      let a = shared_values[thread];
      let b = shared_values[thread + half];
      shared_values[thread] = select(a + b, max(a, b), maximum);
    }
    workgroupBarrier();
  }
  let result = shared_values[thread - thread % LANES];
  workgroupBarrier();
  return result;
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"score":["x","c","b","global","y"]},
    buffers: {"x":{"binding":1,"access":"read"},"c":{"binding":2,"access":"read"},"b":{"binding":3,"access":"read"},"global":{"binding":4,"access":"read"},"y":{"binding":5,"access":"read_write"}},
    params: {"pairs":"u32","entities":"u32","h":"u32","scalars":"f32","eps":"f32"},
    constants: {"SHARE":"f32","LANES":"u32","ROWS":"u32","Element":"type"},
  },
  'dual-unit': {
    code: /** @type {string} */ (`






const ITEMS: u32 = 8u;




struct Params {
  mentions: u32,
  entities: u32,
  h: u32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> vectors: array<f32>;
@group(0) @binding(2) var<storage, read> given: array<f32>;

@group(0) @binding(3) var<storage, read> asking: array<f32>;
@group(0) @binding(4) var<storage, read> asked: array<f32>;
@group(0) @binding(5) var<storage, read> gate_offset: array<f32>;
@group(0) @binding(6) var<storage, read_write> scalars: array<vec4f>;
@group(0) @binding(7) var<storage, read> products: array<f32>;
@group(0) @binding(8) var<storage, read> mention: array<vec4f>;
@group(0) @binding(9) var<storage, read> entity: array<vec4f>;
@group(0) @binding(10) var<storage, read> base: array<f32>;
@group(0) @binding(11) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn side(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let row = linear_index(group, groups, lane);
  if row >= params.mentions { return; }
  var squares = vec4f();
  var query = vec4f();
  var key = vec4f();
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


fn inverse_deviation(squares: f32) -> f32 {
  return 1.0 / sqrt(select(squares, 0.0, squares < 0.0) / f32(params.h) + params.eps);
}





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

    let p = vec4f(products[at], products[at + plane], products[at + 2u * plane], products[at + 3u * plane]);
    let to_mention = direction(p, products[at + 4u * plane], e0, e1, m2, m3, e3.w);
    let other = at + 5u * plane;
    let t = vec4f(products[other], products[other + plane], products[other + 2u * plane],
                  products[other + 3u * plane]);
    let to_entity = direction(t, products[other + 4u * plane], m0, m1, e2, e3, m3.w);
    y[at] = base[at] + 0.5 * (to_mention + to_entity);
  }
}






fn exp_of(v: f32) -> f32 {
  return select(exp(v), v, is_nan(v));
}


fn tanh_of(v: f32) -> f32 {
  return 1.0 - 2.0 / (exp_of(2.0 * v) + 1.0);
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}




fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}
`),
    entries: {"side":["vectors","given","asking","asked","gate_offset","scalars"],"combine":["products","mention","entity","base","y"]},
    buffers: {"vectors":{"binding":1,"access":"read"},"given":{"binding":2,"access":"read"},"asking":{"binding":3,"access":"read"},"asked":{"binding":4,"access":"read"},"gate_offset":{"binding":5,"access":"read"},"scalars":{"binding":6,"access":"read_write"},"products":{"binding":7,"access":"read"},"mention":{"binding":8,"access":"read"},"entity":{"binding":9,"access":"read"},"base":{"binding":10,"access":"read"},"y":{"binding":11,"access":"read_write"}},
    params: {"mentions":"u32","entities":"u32","h":"u32","eps":"f32"},
    constants: {"ITEMS":"u32"},
  },
  'expert-choice': {
    code: /** @type {string} */ (`








const EXPERTS: u32 = 3u;
const STEP: u32 = 1u;
const ITEMS: u32 = 8u;
const EXPERT: u32 = 0u;




struct Params {
  mentions: u32,
  entities: u32,
  nan: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> scores: array<f32>;
@group(0) @binding(4) var<storage, read> calibration: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> pair_mask: array<u32>;
@group(0) @binding(7) var<storage, read> has_no_image: array<u32>;
@group(0) @binding(8) var<storage, read_write> counts: array<u32>;


fn choice(mention: u32, entity: u32) -> u32 {
  var best = 0u;
  var most = -1.0;
  var broken = false;
  for (var i = 0u; i < EXPERTS; i++) {
    let sum = u[mention * EXPERTS + i] + v[STEP * entity * EXPERTS + i];
    broken = broken || is_nan(sum);
    let pi = select(sum, 0.0, sum < 0.0);
    if pi > most {
      most = pi;
      best = i;
    }
  }
  return select(best, EXPERTS, broken);
}

@compute @workgroup_size(64)
fn select_scores(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let e = group.x * 64u + lane;
  if e >= params.entities { return; }
  let last = min(params.mentions, (group.y + 1u) * ITEMS);
  for (var m = group.y * ITEMS; m < last; m++) {
    let at = m * params.entities + e;
    let i = choice(m, e);
    let expert = min(i, EXPERTS - 1u);
    let score = select(params.nan, scores[expert * params.mentions * params.entities + at], i < EXPERTS);
    y[at] = calibration[expert] * score + calibration[EXPERTS + expert];
  }
}

@compute @workgroup_size(64)
fn select_mask(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let e = group.x * 64u + lane;
  if e >= params.entities { return; }
  let last = min(params.mentions, (group.y + 1u) * ITEMS);
  for (var m = group.y * ITEMS; m < last; m++) {
    pair_mask[m * params.entities + e] = select(0u, 1u, choice(m, e) == EXPERT);
  }
}

@compute @workgroup_size(THREADS)
fn count_choices(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_index) thread: u32) {
  let m = row_of(group, groups, thread);
  let exists = m < params.mentions;
  let entities = select(0u, params.entities, exists);
  var chosen: array<f32, EXPERTS>;
  var without: array<f32, EXPERTS>;
  for (var e = thread % LANES; e < entities; e += LANES) {
    let choice_of_pair = choice(m, e);
    for (var i = 0u; i < EXPERTS; i++) {
      let one = select(0.0, 1.0, i == choice_of_pair);
      chosen[i] += one;
      without[i] += one * f32(has_no_image[e]);
    }
  }
  for (var i = 0u; i < EXPERTS; i++) {
    let all = across(chosen[i], thread, false);
    let bare = across(without[i], thread, false);
    if exists && thread % LANES == 0u {
      counts[m * 2u * EXPERTS + i] += u32(all);
      counts[(m * 2u + 1u) * EXPERTS + i] += u32(bare);
    }
  }
}





const LANES: u32 = 1u;
const ROWS: u32 = 8u;
const THREADS: u32 = LANES * ROWS;

var<workgroup> shared_values: array<f32, THREADS>;


fn row_of(group: vec3u, groups: vec3u, thread: u32) -> u32 {
  return linear_group(group, groups) * ROWS + thread / LANES;
}


fn across(v: f32, thread: u32, maximum: bool) -> f32 {
  if LANES == 1u { return v; }
  shared_values[thread] = v;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if thread % LANES < half {
      let a = shared_values[thread];
      let b = shared_values[thread + half];
      shared_values[thread] = select(a + b, max(a, b), maximum);
    }
    workgroupBarrier();
  }
  let result = shared_values[thread - thread % LANES];
  workgroupBarrier();
  return result;
}




fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"select_scores":["u","v","scores","calibration","y"],"select_mask":["u","v","pair_mask"],"count_choices":["u","v","has_no_image","counts"]},
    buffers: {"u":{"binding":1,"access":"read"},"v":{"binding":2,"access":"read"},"scores":{"binding":3,"access":"read"},"calibration":{"binding":4,"access":"read"},"y":{"binding":5,"access":"read_write"},"pair_mask":{"binding":6,"access":"read_write"},"has_no_image":{"binding":7,"access":"read"},"counts":{"binding":8,"access":"read_write"}},
    params: {"mentions":"u32","entities":"u32","nan":"f32"},
    constants: {"EXPERTS":"u32","STEP":"u32","ITEMS":"u32","EXPERT":"u32","LANES":"u32","ROWS":"u32"},
  },
  'rank': {
    code: /** @type {string} */ (`










struct Params {
  mentions: u32,
  entities: u32,
  k: u32,
  n: u32,
  lowest: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scores: array<f32>;
@group(0) @binding(2) var<storage, read> numbers: array<i32>;
@group(0) @binding(3) var<storage, read> gold_scores: array<f32>;
@group(0) @binding(4) var<storage, read> gold_numbers: array<i32>;
@group(0) @binding(5) var<storage, read_write> state: array<vec4u>;
@group(0) @binding(6) var<storage, read> best_values: array<f32>;
@group(0) @binding(7) var<storage, read> best_numbers: array<i32>;
@group(0) @binding(8) var<storage, read> found_values: array<f32>;
@group(0) @binding(9) var<storage, read> found_indices: array<i32>;
@group(0) @binding(10) var<storage, read_write> merged_values: array<f32>;
@group(0) @binding(11) var<storage, read_write> merged_numbers: array<i32>;

@compute @workgroup_size(THREADS)
fn count(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
         @builtin(local_invocation_index) thread: u32) {
  let m = row_of(group, groups, thread);
  let exists = m < params.mentions;
  let entities = select(0u, params.entities, exists);
  let row = select(0u, m, exists);
  let gold = gold_numbers[row];
  let own = gold_scores[row];
  var higher = 0.0;
  var equal = 0.0;
  var broken = 0.0;
  var culprit = 0.0;
  for (var e = thread % LANES; e < entities; e += LANES) {
    let score = scores[row * params.entities + e];
    let number = numbers[e];
    let other = select(0.0, 1.0, number != gold);
    higher += select(0.0, other, score > own);
    equal += select(0.0, other, score == own);
    if !is_finite(score) {
      broken += 1.0;
      culprit = f32(e + 1u);
    }
  }
  let all_higher = across(higher, thread, false);
  let all_equal = across(equal, thread, false);
  let all_broken = across(broken, thread, false);
  let place = u32(across(culprit, thread, true));
  if exists && thread % LANES == 0u {
    let before = state[row];
    let at = select(before.w, u32(numbers[max(place, 1u) - 1u] + 1), place > 0u);
    state[row] = vec4u(before.x + u32(all_higher), before.y + u32(all_equal), before.z + u32(all_broken), at);
  }
}

@compute @workgroup_size(8)
fn merge(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
         @builtin(local_invocation_index) lane: u32) {
  let m = linear_group(group, groups) * 8u + lane;
  if m >= params.mentions { return; }
  var i = 0u;
  var j = 0u;
  for (var at = 0u; at < params.k; at++) {

    var number = -1;
    var value = params.lowest;
    if i < params.k {
      number = best_numbers[m * params.k + i];
      value = best_values[m * params.k + i];
    }
    var from_found = false;
    if j < params.n {
      let candidate = found_values[m * params.n + j];
      let candidate_number = numbers[found_indices[m * params.n + j]];
      from_found = number < 0 || candidate > value || (candidate == value && candidate_number < number);
      number = select(number, candidate_number, from_found);
      value = select(value, candidate, from_found);
    }
    i += select(1u, 0u, from_found);
    j += select(0u, 1u, from_found);
    merged_values[m * params.k + at] = value;
    merged_numbers[m * params.k + at] = number;
  }
}




fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}





const LANES: u32 = 1u;
const ROWS: u32 = 8u;
const THREADS: u32 = LANES * ROWS;

var<workgroup> shared_values: array<f32, THREADS>;


fn row_of(group: vec3u, groups: vec3u, thread: u32) -> u32 {
  return linear_group(group, groups) * ROWS + thread / LANES;
}


fn across(v: f32, thread: u32, maximum: bool) -> f32 {
  if LANES == 1u { return v; }
  shared_values[thread] = v;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if thread % LANES < half {
      let a = shared_values[thread];
      let b = shared_values[thread + half];
      shared_values[thread] = select(a + b, max(a, b), maximum);
    }
    workgroupBarrier();
  }
  let result = shared_values[thread - thread % LANES];
  workgroupBarrier();
  return result;
}




fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}


fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
`),
    entries: {"count":["scores","numbers","gold_scores","gold_numbers","state"],"merge":["numbers","best_values","best_numbers","found_values","found_indices","merged_values","merged_numbers"]},
    buffers: {"scores":{"binding":1,"access":"read"},"numbers":{"binding":2,"access":"read"},"gold_scores":{"binding":3,"access":"read"},"gold_numbers":{"binding":4,"access":"read"},"state":{"binding":5,"access":"read_write"},"best_values":{"binding":6,"access":"read"},"best_numbers":{"binding":7,"access":"read"},"found_values":{"binding":8,"access":"read"},"found_indices":{"binding":9,"access":"read"},"merged_values":{"binding":10,"access":"read_write"},"merged_numbers":{"binding":11,"access":"read_write"}},
    params: {"mentions":"u32","entities":"u32","k":"u32","n":"u32","lowest":"f32"},
    constants: {"LANES":"u32","ROWS":"u32"},
  },
});
