// What the comparisons with PyTorch say of a job done several times: by the clock, and of all cores together.

/** Milliseconds of one time: by the clock, and of all cores together. */
export type Timed = [wall: number, processor: number];

/** The fastest and the median by the clock, and the median of the processor's time. */
export function timesOf(all: readonly Timed[]): [best: number, median: number, processor: number] {
  const sorted = (i: 0 | 1) => all.map((time) => time[i]).sort((a, b) => a - b);
  const [wall, processor] = [sorted(0), sorted(1)];
  return [wall[0]!, wall[wall.length >> 1]!, processor[processor.length >> 1]!];
}

export function lineOf(all: readonly Timed[]): string {
  const [best, median, processor] = timesOf(all).map((time) => time.toFixed(0));
  return `best ${best} ms, median ${median} ms, processor ${processor} ms`;
}
