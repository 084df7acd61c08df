// The normal distribution's cumulative function in float64, relatively exact in its lower tail too.

/** Phi(x): Marsaglia's series near 0 (J. Stat. Software 11(4), 2004), the continued fraction of the tail beyond. */
export function normalCdf(x: number): number {
  const a = Math.abs(x);
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (a < 3) {
    let [sum, term] = [x, x];
    for (let i = 3; Math.abs(term) > 1e-18 * Math.abs(sum); i += 2) {
      term *= (x * x) / i;
      sum += term;
    }
    return 0.5 + density * sum;
  }
  let fraction = a;
  for (let i = 200; i > 0; i--) fraction = a + i / fraction;
  return x < 0 ? density / fraction : 1 - density / fraction;
}
