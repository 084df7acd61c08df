// How the benchmarks take time, for our kernels and for the peers alike. Knows nothing of any library.

/** Milliseconds of one run. */
export interface Timing {
  /** The fastest repetition: what the machine can do when nothing else takes its cores. */
  best: number;
  median: number;
  repetitions: number;
}

/** A repetition queues as many runs as take this long, so that waiting for the GPU hardly counts. */
const repetitionMs = 80;
const mostRunsQueued = 100;
const budgetMs = 900;
const fewestRepetitions = 3;

/**
 * Times a warm job: `queue(n)` must start n runs, `finish` wait until they are done. The time of a run is
 * that of a repetition from the first call to the end, divided by n; repetitions fill about a second.
 */
export async function measure(
  queue: (runs: number) => void | Promise<void>,
  finish: () => Promise<void>,
): Promise<Timing> {
  const time = async (runs: number) => {
    const start = performance.now();
    await queue(runs);
    await finish();
    return (performance.now() - start) / runs;
  };
  await finish();
  const single = await time(1);
  const runs = Math.max(1, Math.min(mostRunsQueued, Math.round(repetitionMs / single)));
  // A job as long as the budget has had its first repetition already.
  const times = runs === 1 ? [single] : [];
  const start = performance.now();
  while (times.length < fewestRepetitions || performance.now() - start < budgetMs)
    times.push(await time(runs));
  times.sort((a, b) => a - b);
  return { best: times[0]!, median: times[times.length >> 1]!, repetitions: times.length };
}
