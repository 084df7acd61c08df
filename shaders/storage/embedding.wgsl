// y[i] = table[ids[i]] and its backward dtable[v] = sum of dy[i] over the positions i with ids[i] = v.
// table, dtable: [V, d]; ids: [n]; y, dy: [n, d]. An id outside 0 .. V - 1 yields a row of NaN and takes
// no part in the backward. A table larger than a binding is bound as windows of its rows, one dispatch each.
//
// Backward without float atomics, so that the same input gives the same bits: the positions of one id are
// linked into a list in ascending order (head by id, next by position), and a workgroup walks one list.

// needs linear-index.wgsl

struct Params {
  n: u32,            // positions
  d: u32,            // Elements of a row
  vocabulary: u32,   // V
  window_first: u32, // the rows that are bound
  window_rows: u32,
  nan: f32,          // a NaN, which WGSL cannot write
}

// What a row of the table is made of, and the same in 32 bits: scalars or fours, of which d counts.
alias Element = f32;
alias Wide = f32;
const WIDTH: u32 = 64u; // invocations that share a row

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ids: array<i32>;
@group(0) @binding(2) var<storage, read> table: array<Element>;
@group(0) @binding(3) var<storage, read_write> y: array<Wide>;
@group(0) @binding(4) var<storage, read> dy: array<Wide>;
@group(0) @binding(5) var<storage, read_write> dtable: array<Wide>;
// Lists of positions, counted from 1; 0 ends a list. head: [V], next: [n].
@group(0) @binding(6) var<storage, read_write> head: array<u32>;
@group(0) @binding(7) var<storage, read_write> next: array<u32>;

// A workgroup computes one position; neighbouring lanes compute neighbouring columns.
@compute @workgroup_size(WIDTH)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(group, groups);
  if i >= params.n { return; }
  let id = bitcast<u32>(ids[i]); // negative ids become large ones
  let row = id - params.window_first;
  if row < params.window_rows {
    for (var j = lane; j < params.d; j += WIDTH) { y[i * params.d + j] = Wide(table[row * params.d + j]); }
  } else if id >= params.vocabulary && params.window_first == 0u {
    for (var j = lane; j < params.d; j += WIDTH) { y[i * params.d + j] = Wide(params.nan); }
  }
}

// The lists by one invocation, from the last position to the first: for CPU adapters. head starts as zeros.
@compute @workgroup_size(1)
fn link_in_turn() {
  for (var i = params.n; i > 0u; i--) {
    let id = bitcast<u32>(ids[i - 1u]);
    if id < params.vocabulary {
      next[i - 1u] = head[id];
      head[id] = i;
    }
  }
}

// The same lists, an invocation a position: it looks for its id before (then it is not the head) and after.
// n^2 comparisons in all, cheap on a GPU for the tens of thousands of positions of a batch.
@compute @workgroup_size(64)
fn link(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = linear_index(group, groups, lane);
  if i >= params.n { return; }
  let id = ids[i];
  if bitcast<u32>(id) >= params.vocabulary { return; }
  var before = i;
  while before > 0u && ids[before - 1u] != id { before--; }
  if before == 0u { head[u32(id)] = i + 1u; }
  var after = i + 1u;
  while after < params.n && ids[after] != id { after++; }
  next[i] = select(0u, after + 1u, after < params.n);
}

// A workgroup computes one position and works if that is the head of its list. dtable starts as zeros.
@compute @workgroup_size(WIDTH)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let i = linear_group(group, groups);
  if i >= params.n { return; }
  let id = bitcast<u32>(ids[i]);
  let row = id - params.window_first;
  if row >= params.window_rows || id >= params.vocabulary || head[id] != i + 1u { return; }
  for (var j = lane; j < params.d; j += WIDTH) {
    var total = Wide();
    for (var at = i + 1u; at != 0u; at = next[at - 1u]) { total += dy[(at - 1u) * params.d + j]; }
    dtable[row * params.d + j] = total;
  }
}
