// Times every dispatch by timestamp queries and adds them up by kernel. Needs the device feature
// `timestamp-query`; each dispatch then runs in a pass of its own.

/** Totals of one kernel. */
export interface ProfileRow {
  name: string;
  calls: number;
  /** GPU time in milliseconds. */
  ms: number;
  /** Rate of floating-point operations that the op declared, 0 where it declared none. */
  gflops: number;
  /** Rate of bytes that the op must at least read and write. */
  gbs: number;
}

interface Sample {
  name: string;
  flops: number;
  bytes: number;
}

const capacity = 2048;

export class Profiler {
  #gpu: GPUDevice;
  #queries: GPUQuerySet;
  #resolved: GPUBuffer;
  #samples: Sample[] = [];
  #staging: GPUBuffer | null = null;
  #pending: Promise<void>[] = [];
  #totals = new Map<string, { calls: number; ns: number; flops: number; bytes: number }>();

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
    this.#queries = gpu.createQuerySet({ type: 'timestamp', count: 2 * capacity });
    this.#resolved = gpu.createBuffer({
      label: 'timestamps',
      size: 16 * capacity,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
  }

  /** Where the next pass writes its times; undefined when this batch is full (it then goes untimed). */
  next(name: string, flops: number, bytes: number): GPUComputePassTimestampWrites | undefined {
    const i = this.#samples.length;
    if (i === capacity) return undefined;
    this.#samples.push({ name, flops, bytes });
    return { querySet: this.#queries, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
  }

  /** Records the copy of this batch's times, at the end of its encoder. */
  resolve(encoder: GPUCommandEncoder): void {
    const count = this.#samples.length;
    if (count === 0) return;
    encoder.resolveQuerySet(this.#queries, 0, 2 * count, this.#resolved, 0);
    this.#staging = this.#gpu.createBuffer({
      label: 'timestamps',
      size: 16 * count,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, 16 * count);
  }

  /** Starts reading the times of the batch just submitted. */
  collect(): void {
    const staging = this.#staging;
    const samples = this.#samples;
    this.#staging = null;
    this.#samples = [];
    if (staging) this.#pending.push(this.#add(staging, samples));
  }

  /** Totals since the last call, slowest first. */
  async take(): Promise<ProfileRow[]> {
    await Promise.all(this.#pending);
    this.#pending = [];
    const rows = [...this.#totals].map(([name, { calls, ns, flops, bytes }]) => ({
      name,
      calls,
      ms: ns / 1e6,
      gflops: ns > 0 ? flops / ns : 0,
      gbs: ns > 0 ? bytes / ns : 0,
    }));
    this.#totals.clear();
    return rows.sort((a, b) => b.ms - a.ms);
  }

  async #add(staging: GPUBuffer, samples: Sample[]): Promise<void> {
    try {
      await staging.mapAsync(GPUMapMode.READ);
    } catch {
      return; // The device was lost; whoever waits for results is told so.
    }
    const times = new BigUint64Array(staging.getMappedRange());
    samples.forEach(({ name, flops, bytes }, i) => {
      const total = this.#totals.get(name) ?? { calls: 0, ns: 0, flops: 0, bytes: 0 };
      total.calls++;
      total.ns += Number(times[2 * i + 1]! - times[2 * i]!);
      total.flops += flops;
      total.bytes += bytes;
      this.#totals.set(name, total);
    });
    staging.destroy();
  }
}

/** A profile as a table, one kernel a line. */
export function profileTable(rows: readonly ProfileRow[]): string {
  const total = rows.reduce((sum, row) => sum + row.ms, 0);
  const line = (cells: string[]) =>
    cells[0]!.padEnd(44) +
    cells
      .slice(1)
      .map((cell) => cell.padStart(11))
      .join('');
  return [
    line(['kernel', 'calls', 'ms', 'share', 'GFLOP/s', 'GB/s']),
    ...rows.map(({ name, calls, ms, gflops, gbs }) =>
      line([
        name,
        `${calls}`,
        ms.toFixed(2),
        `${((100 * ms) / total).toFixed(1)} %`,
        gflops.toFixed(2),
        gbs.toFixed(2),
      ]),
    ),
    line(['total', `${rows.reduce((sum, row) => sum + row.calls, 0)}`, total.toFixed(2), '', '', '']),
  ].join('\n');
}
