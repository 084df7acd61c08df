// The way from a number of an element to its place in four dimensions.

/** The four indices of element i of a contiguous tensor, whose last three dimensions have these sizes. */
fn split_index(i: u32, size_1: u32, size_2: u32, size_3: u32) -> vec4u {
  let above3 = i / size_3;
  let above2 = above3 / size_2;
  return vec4u(above2 / size_1, above2 % size_1, above3 % size_2, i % size_3);
}
