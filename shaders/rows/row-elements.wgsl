// The elements of kernels that work along rows: vec4f where rows divide into them, else f32.

// needs row-lanes.wgsl

alias Element = f32;
const SHARE: f32 = 0.25; // 1 for vec4f, 1/4 for f32: what each of vec4f(element)'s components counts for

/** The sum of an element's numbers. */
fn total(e: Element) -> f32 {
  return dot(vec4f(e), vec4f(SHARE));
}
