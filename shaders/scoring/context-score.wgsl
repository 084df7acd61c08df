// The text unit's score of M mentions and E entities, once the entity's tokens have been averaged over the mention's:
//   y[m, e] = ((x_me . c_e) / sqrt(|x_me|^2 / h + eps) + b_e + global[m, e]) / 2
// x [M, E, h]: contexts made of centred values, so that LayerNorm is a division; c [E, h]: the entity's vector
// times LayerNorm's weight, centred; b [E]: its product with LayerNorm's bias; global, y [M, E].
// LANES invocations share the context of a pair, a workgroup computes ROWS pairs: 1 x 8 on CPU adapters, where nothing
// crosses lanes, several lanes on GPUs, where neighbours read neighbours. h counts Elements.

// needs row-elements.wgsl

struct Params {
  pairs: u32,    // M E
  entities: u32, // E
  h: u32,
  scalars: f32, // in a context
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
  // Pairs past the last have empty contexts, so that all invocations reach the barriers.
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
