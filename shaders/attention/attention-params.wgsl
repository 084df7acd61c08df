// What all kernels of attention's forward share: parameters, and the stand-ins for infinity.

// needs attention-masks.wgsl

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

const HEAD_SIZE: u32 = 64u; // 1 to 128

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<storage, read> key_mask: array<u32>;

// Finite stand-in for -infinity, which WGSL lets a compiler assume away. A masked score is set to it.
const LOWEST: f32 = -3e38;
const NO_KEYS: f32 = 3e38; // lse of a row without keys
