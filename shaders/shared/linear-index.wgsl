// Numbers of workgroups and invocations in a dispatch whose workgroups the host split over x and y (linearGrid).

/** The number of a workgroup. */
fn linear_group(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}

/** The number of an invocation, where a workgroup has 64. */
fn linear_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return linear_group(group, groups) * 64u + lane;
}
