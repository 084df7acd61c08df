// How the learning rate goes over a training.

export const schedules = ['constant', 'cosine', 'linear'] as const;
export type Schedule = (typeof schedules)[number];

/**
 * The factor on the learning rate at a step counted from 0: over the first `warmup` steps it rises evenly to 1, then it
 * stays there, or falls towards `last` evenly or as half a cosine.
 */
export function scheduleFactor(
  schedule: Schedule,
  step: number,
  steps: number,
  warmup = 0,
  last = 0,
): number {
  if (step < warmup) return (step + 1) / warmup;
  if (schedule === 'constant') return 1;
  const [done, all] = [step - warmup, steps - warmup];
  const left = schedule === 'linear' ? 1 - done / all : (1 + Math.cos((Math.PI * done) / all)) / 2;
  return last + (1 - last) * left;
}
