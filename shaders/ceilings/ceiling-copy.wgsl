// Measures what the adapter's memory can do: to = from, each element read and written once. A workgroup of
// LANES computes LANES * PER_LANE consecutive vec4 elements and a lane every LANES-th of them, so that
// neighbours touch neighbours (a GPU merges them) and a workgroup is long enough to pay for starting it
// (CPU adapters). Dispatch (ceil(count / (LANES * PER_LANE)), 1, 1), count in vec4 elements.

struct Params {
  count: u32,
}

const LANES: u32 = 8u;
const PER_LANE: u32 = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> destination: array<vec4f>;

@compute @workgroup_size(LANES)
fn copy(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * LANES * PER_LANE + lane;
  let end = min(params.count, (group.x + 1u) * LANES * PER_LANE);
  for (var i = first; i < end; i += LANES) {
    destination[i] = source[i];
  }
}
