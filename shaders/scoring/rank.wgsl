// The state of ranking M mentions, updated with their scores of E entities more: scores [M, E], numbers [E].
//   count: state[m] = (others above the gold entity, others equal to it, scores that are not finite, 1 + the number of
//          an entity with such a score or 0); gold_scores, gold_numbers [M]. LANES invocations share a mention, a
//          workgroup computes ROWS of them.
//   merge: the k best of best (values, numbers [M, k]) and found (found_values, found_indices [M, n]; both in order,
//          larger first, the lower number first among equals) -> merged [M, k]; places without an entity have number -1.
//          An invocation computes a mention.
//   take:  both at once, in one pass through the scores, for CPU adapters: an invocation computes a mention and puts what is
//          among its k best so far into its place in merged. numbers must ascend; what is not finite counts as lowest.

// needs numbers.wgsl
// needs row-lanes.wgsl

struct Params {
  mentions: u32,
  entities: u32,
  k: u32,
  n: u32, // of found
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
@group(0) @binding(12) var<storage, read> fours: array<vec4f>; // scores again

const VECTOR: bool = false; // E is a multiple of 4

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
    // Both lists may be at their end: then -1 says that there is nobody.
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

/** The scores from element i on; those beyond a row mean nothing. */
fn four_from(i: u32) -> vec4f {
  if VECTOR { return fours[i / 4u]; }
  return vec4f(score_at(i), score_at(i + 1u), score_at(i + 2u), score_at(i + 3u));
}

fn score_at(i: u32) -> f32 {
  return fours[i / 4u][i % 4u];
}

/** Whether an entity comes before the one in a place of a list, which may be empty. */
fn comes_before(value: f32, number: i32, place: u32) -> bool {
  let there = merged_numbers[place];
  return there < 0 || value > merged_values[place] || (value == merged_values[place] && number < there);
}

/** Puts an entity among the best from `first` on, if it is one of them. */
fn put(first: u32, score: f32, number: i32) {
  let value = select(params.lowest, score, is_finite(score));
  var at = first + params.k - 1u;
  if !comes_before(value, number, at) { return; }
  while at > first {
    if !comes_before(value, number, at - 1u) { break; }
    merged_values[at] = merged_values[at - 1u];
    merged_numbers[at] = merged_numbers[at - 1u];
    at--;
  }
  merged_values[at] = value;
  merged_numbers[at] = number;
}

@compute @workgroup_size(8)
fn take(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let m = linear_group(group, groups) * 8u + lane;
  if m >= params.mentions { return; }
  let row = m * params.entities;
  let first = m * params.k;
  let own = gold_scores[m];
  let last = max(first + params.k, 1u) - 1u;
  var least = params.lowest;
  var is_open = false;
  if params.k > 0u {
    least = merged_values[last];
    is_open = merged_numbers[last] < 0;
  }
  var higher = vec4u();
  var equal = vec4u();
  var broken = vec4u();
  var culprit = 0u;
  for (var e = 0u; e < params.entities; e += 4u) {
    let four = four_from(row + e);
    var real = vec4<bool>(true);
    if !VECTOR { real = vec4u(e, e + 1u, e + 2u, e + 3u) < vec4u(params.entities); }
    let wrong = real & ((bitcast<vec4u>(four) & vec4u(0x7f800000u)) == vec4u(0x7f800000u));
    higher += select(vec4u(), vec4u(1u), real & (four > vec4f(own)));
    equal += select(vec4u(), vec4u(1u), real & (four == vec4f(own)));
    broken += select(vec4u(), vec4u(1u), wrong);
    let good = params.k > 0u && (is_open || any(four >= vec4f(least)));
    if good || any(wrong) {
      for (var i = 0u; i < 4u; i++) {
        if !real[i] { break; }
        if wrong[i] { culprit = e + i + 1u; }
        if good { put(first, four[i], numbers[e + i]); }
      }
      if good {
        least = merged_values[last];
        is_open = merged_numbers[last] < 0;
      }
    }
  }
  // The gold entity is no other.
  let gold = gold_numbers[m];
  var column = 0u;
  var end = params.entities;
  while column < end {
    let middle = (column + end) / 2u;
    if numbers[middle] < gold { column = middle + 1u; } else { end = middle; }
  }
  var others = vec2u(higher.x + higher.y + higher.z + higher.w, equal.x + equal.y + equal.z + equal.w);
  if column < params.entities && numbers[min(column, params.entities - 1u)] == gold {
    let score = score_at(row + column);
    others -= vec2u(select(0u, 1u, score > own), select(0u, 1u, score == own));
  }
  let before = state[m];
  let at = select(before.w, u32(numbers[max(culprit, 1u) - 1u] + 1), culprit > 0u);
  let all_broken = broken.x + broken.y + broken.z + broken.w;
  state[m] = vec4u(before.xy + others, before.z + all_broken, at);
}
