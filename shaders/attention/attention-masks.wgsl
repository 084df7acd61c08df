// Which keys a query of the attention kernels attends to. Needs key_mask [batch, lk] and lk in params.

const CAUSAL: bool = false;        // query i sees the keys 0 to i
const HAS_KEY_MASK: bool = false;

fn attended(batch: u32, query: u32, key: u32) -> bool {
  var yes = key < params.lk;
  if (CAUSAL) {
    yes = yes && key <= query;
  }
  if (HAS_KEY_MASK) {
    yes = yes && key_mask[batch * params.lk + min(key, params.lk - 1u)] != 0u;
  }
  return yes;
}
