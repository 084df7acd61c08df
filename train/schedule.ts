// How the learning rate goes over a training.

/** The factor on the learning rate at a step counted from 0: 1, or half a cosine from 1 towards 0. */
export function scheduleFactor(schedule: 'constant' | 'cosine', step: number, steps: number): number {
  return schedule === 'cosine' ? (1 + Math.cos((Math.PI * step) / steps)) / 2 : 1;
}
