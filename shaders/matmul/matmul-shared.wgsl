// What the matrix multiplication kernels share: parameters and operands of
//   C[batch] = epilogue(op(A[batch]) op(B[batch])),
// sums in f32, in the transposes a linear layer and its backward need.

struct Params {
  m: u32,       // rows of C
  n: u32,       // columns of C
  k: u32,       // length of the sums
  lda: u32,     // elements from one stored row of A to the next
  ldb: u32,     // the same of B
  ldc: u32,     // the same of C, residual and pre
  a_batch: u32, // elements from one matrix of the batch to the next; 0 shares the operand
  b_batch: u32,
  c_batch: u32, // also of residual and pre
  run: u32,     // rows of C that a workgroup computes
  epilogue: u32, // BIAS | SAVE_PRE | RESIDUAL | ACCUMULATE
}

// Storage type of B: f32, or f16 for weights stored in half precision (the sums are f32 either way).
alias Weight = f32;

const TRANS_A: bool = false;    // A is stored [k, m] instead of [m, k]
const TRANS_B: bool = false;    // B is stored [n, k] instead of [k, n]
const VECTOR_A: bool = false;   // lda and a_batch are multiples of 4
const VECTOR_B: bool = false;   // ldb and b_batch are multiples of 4
// 0 none, 1 QuickGELU x sigmoid(1.702 x), 2 times QuickGELU'(pre), 3 GELU x Phi(x), 4 times GELU'(pre)
const ACTIVATION: u32 = 0u;

// Bits of params.epilogue. They are read at run time, once an element, so that one compiled kernel serves all layers.
const BIAS = 1u;       // + bias[n]
const SAVE_PRE = 2u;   // pre = the value before the activation
const RESIDUAL = 4u;   // + residual[m, n]
const ACCUMULATE = 8u; // c += instead of c =

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4<Weight>>;

fn a_at(i: u32) -> f32 {
  return a[i >> 2u][i & 3u];
}

fn b_at(i: u32) -> f32 {
  return f32(b[i >> 2u][i & 3u]);
}
