// GELU (Hendrycks and Gimpel 2016, arXiv:1606.08415) in its exact form, x Phi(x), with Phi the normal distribution's
// cumulative function 1/2 (1 + erf(x / sqrt 2)); not the tanh form, which differs in the fourth digit. The tail
// Phi(-a) = exp(-a^2 / 2) t (c1 + c2 t + ... + c8 t^7), t = 1 / (1 + 0.3 a), a >= 0: coefficients fitted to the smallest
// largest relative error, 1.2e-7 for a up to 13, where Phi(-a) leaves float32. Relative, so that small values in the
// tail are right too; 1 + erf would lose them to cancellation.

// needs exponential.wgsl

/** Phi(-|x|). */
fn normal_tail(x: f32) -> f32 {
  let t = 1.0 / fma(0.3, abs(x), 1.0);
  var p = 0.036088912;
  p = fma(p, t, -0.15893415);
  p = fma(p, t, 0.20934726);
  p = fma(p, t, -0.056451012);
  p = fma(p, t, 0.13003315);
  p = fma(p, t, 0.099464895);
  p = fma(p, t, 0.120826342);
  p = fma(p, t, 0.119624539);
  return exp_of(-0.5 * x * x) * t * p;
}

/** Phi(x). */
fn normal_cdf(x: f32) -> f32 {
  let tail = normal_tail(x);
  return select(tail, 1.0 - tail, x > 0.0);
}

fn gelu(x: f32) -> f32 {
  return x * normal_cdf(x);
}

/** Phi(x) + x phi(x), phi the normal density. */
fn gelu_derivative(x: f32) -> f32 {
  return fma(x * 0.39894228, exp_of(-0.5 * x * x), normal_cdf(x));
}

fn gelu_four(x: vec4f) -> vec4f {
  return vec4f(gelu(x.x), gelu(x.y), gelu(x.z), gelu(x.w));
}

fn gelu_derivative_four(x: vec4f) -> vec4f {
  return vec4f(gelu_derivative(x.x), gelu_derivative(x.y), gelu_derivative(x.z), gelu_derivative(x.w));
}
