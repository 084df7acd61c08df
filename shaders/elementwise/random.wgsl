// Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011): block j
// of a stream is a function of the key and the counter + j, nothing else, so the numbers do not depend on how
// the work is shared out, and the same numbers can be drawn again: dropout's backward makes its mask anew.
//   generate: bits[i] = word i % 4 of block i / 4, as KIND says
//   dropout:  y[i] = x[i] * (the word >= threshold ? factor : 0); the backward is the same with dy for x. Of every `every`-th
//             row of a larger tensor the words are those that the row has there; rows are of `row` blocks
// n elements, any shape. An invocation computes one block: four consecutive elements. Dropped NaNs stay NaN, as
// in PyTorch.

const KIND: u32 = 0u; // 0 the word, 1 uniform in (0, 1), 2 Gumbel(0, 1), 3 normal times factor
const WIDTH: u32 = 64u; // invocations of a workgroup

// needs linear-index.wgsl

struct Params {
  n: u32,
  key_0: u32, key_1: u32,
  counter_0: u32, counter_1: u32, counter_2: u32, counter_3: u32,
  threshold: u32,
  factor: f32,
  row: u32,
  every: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> bits: array<u32>; // f32 for all kinds but 0
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The 64-bit product of two words as (high, low), from 16-bit halves: no sum here exceeds 32 bits.
fn multiply(a: u32, b: u32) -> vec2u {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return vec2u((a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u), a * b);
}

fn philox(block: u32) -> vec4u {
  let low = params.counter_0 + block;
  var c = vec4u(low, params.counter_1 + select(0u, 1u, low < block), params.counter_2, params.counter_3);
  var k = vec2u(params.key_0, params.key_1);
  for (var round = 0u; round < 10u; round++) {
    let p = multiply(0xd2511f53u, c.x);
    let q = multiply(0xcd9e8d57u, c.z);
    c = vec4u(q.x ^ c.y ^ k.x, q.y, p.x ^ c.w ^ k.y, p.y);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

// The 23 high bits as the middle of one of 2^23 equal intervals: exact in f32, never 0 and never 1.
fn unit(word: u32) -> f32 {
  return (f32(word >> 9u) + 0.5) * 1.1920929e-7;
}

// -log u > 0. Close to 1 a device's log may be off by 2^-21 and give 0; there the series of
// -log(1 - t) = 2 atanh(t / (2 - t)) is used.
fn exponential(u: f32) -> f32 {
  let t = 1.0 - u;
  let z = t / (2.0 - t);
  let s = z * z;
  let series = 2.0 * z * (1.0 + s * (1.0 / 3.0 + s * (0.2 + s * (1.0 / 7.0 + s * (1.0 / 9.0)))));
  return select(-log(u), series, t < 0.25);
}

// Two independent normal numbers from two words (Box and Muller).
fn normal_pair(a: u32, b: u32) -> vec2f {
  let angle = 6.2831853 * (unit(b) - 0.5);
  return params.factor * sqrt(2.0 * exponential(unit(a))) * vec2f(cos(angle), sin(angle));
}

fn shaped(words: vec4u) -> vec4u {
  switch KIND {
    case 1u: {
      return bitcast<vec4u>(vec4f(unit(words.x), unit(words.y), unit(words.z), unit(words.w)));
    }
    case 2u: {
      let e = vec4f(exponential(unit(words.x)), exponential(unit(words.y)), exponential(unit(words.z)),
                    exponential(unit(words.w)));
      return bitcast<vec4u>(-log(e));
    }
    case 3u: { return bitcast<vec4u>(vec4f(normal_pair(words.x, words.y), normal_pair(words.z, words.w))); }
    default: { return words; }
  }
}

@compute @workgroup_size(WIDTH)
fn generate(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) lane: u32) {
  let block = linear_group(group, groups) * WIDTH + lane;
  let i = 4u * block;
  if i >= params.n { return; }
  let values = shaped(philox(block));
  bits[i] = values.x;
  if i + 1u < params.n { bits[i + 1u] = values.y; }
  if i + 2u < params.n { bits[i + 2u] = values.z; }
  if i + 3u < params.n { bits[i + 3u] = values.w; }
}

@compute @workgroup_size(WIDTH)
fn dropout(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) lane: u32) {
  let block = linear_group(group, groups) * WIDTH + lane;
  let i = 4u * block;
  if i >= params.n { return; }
  let drawn = block + block / params.row * (params.every - 1u) * params.row;
  let factors = select(vec4f(0.0), vec4f(params.factor), philox(drawn) >= vec4u(params.threshold));
  y[i] = x[i] * factors.x;
  if i + 1u < params.n { y[i + 1u] = x[i + 1u] * factors.y; }
  if i + 2u < params.n { y[i + 2u] = x[i + 2u] * factors.z; }
  if i + 3u < params.n { y[i + 3u] = x[i + 3u] * factors.w; }
}
