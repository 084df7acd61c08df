// What the engine has done so far, in numbers, so that tests can assert that a steady-state step
// allocates nothing and compiles nothing.

/** Running totals of one device. All but the three byte figures only grow. */
export interface Counters {
  /** Bytes held by live tensors now (as rounded by the pool). */
  liveBytes: number;
  /** Largest `liveBytes` since the device was opened or `resetPeak` was called. */
  peakBytes: number;
  /** Bytes of GPU buffers that exist now, in use or waiting in the pool. */
  reservedBytes: number;
  /** GPU buffers created. */
  allocations: number;
  dispatches: number;
  submits: number;
  /** Compute pipelines compiled. */
  pipelines: number;
  /** Bind groups created (the others came from the cache). */
  bindGroups: number;
}

export function newCounters(): Counters {
  return {
    liveBytes: 0,
    peakBytes: 0,
    reservedBytes: 0,
    allocations: 0,
    dispatches: 0,
    submits: 0,
    pipelines: 0,
    bindGroups: 0,
  };
}
