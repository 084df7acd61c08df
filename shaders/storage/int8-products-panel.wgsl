enable subgroups;

// Products of queries with rows in int8, for CPU adapters. A workgroup of 8 lanes computes a run of rows with 8 mentions, one a
// lane. A lane loads its query into a private array, once; of a row the lanes load and unpack different words and shuffle
// them to each other. Why this shape: ragged-mean-attention-panel.wgsl. What a mention has does not depend on the others.
// Needs subgroups of at least 8 invocations. Dispatch: ceil(M / 8) * ceil(count / run) workgroups over x and y.

// needs int8-products-operands.wgsl

const CHUNKS: u32 = 4u; // a row has at most 32 CHUNKS words; CHUNKS is at most 8

/** Fours of the features of a lane's query. */
alias Panel = array<vec4f, 32u * CHUNKS>;

/** Adds the products of 8 words, of which each lane holds one. */
fn add_eight(panel: ptr<function, Panel>, s: vec4f, e: u32, x: vec4f) -> vec4f {
  var t = s + subgroupShuffle(x, 0u) * (*panel)[e];
  t += subgroupShuffle(x, 1u) * (*panel)[e + 1u];
  t += subgroupShuffle(x, 2u) * (*panel)[e + 2u];
  t += subgroupShuffle(x, 3u) * (*panel)[e + 3u];
  t += subgroupShuffle(x, 4u) * (*panel)[e + 4u];
  t += subgroupShuffle(x, 5u) * (*panel)[e + 5u];
  t += subgroupShuffle(x, 6u) * (*panel)[e + 6u];
  return t + subgroupShuffle(x, 7u) * (*panel)[e + 7u];
}

/** Numbers of a row's word; 0 beyond the last. */
fn word_of(base: u32, w: u32) -> vec4f {
  let word = words[base + min(w, params.words - 1u)];
  return numbers_of(select(0u, word, w < params.words));
}

/** Adds the products of a chunk of 32 words. */
fn add_chunk(panel: ptr<function, Panel>, s: vec4f, chunk: u32, base: u32, lane: u32) -> vec4f {
  let e = 32u * chunk;
  let x0 = word_of(base, e + lane);
  let x1 = word_of(base, e + 8u + lane);
  let x2 = word_of(base, e + 16u + lane);
  let x3 = word_of(base, e + 24u + lane);
  var t = add_eight(panel, s, e, x0);
  t = add_eight(panel, t, e + 8u, x1);
  t = add_eight(panel, t, e + 16u, x2);
  return add_eight(panel, t, e + 24u, x3);
}

@compute @workgroup_size(8)
fn int8_products(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_index) lane: u32) {
  let index = linear_group(group, groups);
  let mention_groups = (params.mentions + 7u) / 8u;
  let mention = index % mention_groups * 8u + lane;
  let begin = min(index / mention_groups * params.run, params.count);
  let end = min(begin + params.run, params.count);
  var panel: Panel;
  // A bound unknown to the compiler: it would write the loop out.
  for (var i = 0u; i < select(32u * CHUNKS, 0u, params.width == 0u); i++) {
    panel[i] = query_four(mention, 4u * i);
  }
  for (var r = begin; r < end; r++) {
    let row = params.first + r;
    let base = row * params.words;
    var s = add_chunk(&panel, vec4f(), 0u, base, lane);
    if (CHUNKS > 1u) { s = add_chunk(&panel, s, 1u, base, lane); }
    if (CHUNKS > 2u) { s = add_chunk(&panel, s, 2u, base, lane); }
    if (CHUNKS > 3u) { s = add_chunk(&panel, s, 3u, base, lane); }
    if (CHUNKS > 4u) { s = add_chunk(&panel, s, 4u, base, lane); }
    if (CHUNKS > 5u) { s = add_chunk(&panel, s, 5u, base, lane); }
    if (CHUNKS > 6u) { s = add_chunk(&panel, s, 6u, base, lane); }
    if (CHUNKS > 7u) { s = add_chunk(&panel, s, 7u, base, lane); }
    if mention < params.mentions {
      products[mention * params.stride + params.at + r] = scales[row] * ((s.x + s.y) + (s.z + s.w));
    }
  }
}
