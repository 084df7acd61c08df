// exp and tanh that keep NaN.

// needs numbers.wgsl

/** exp, whose NaN some drivers turn into a number. */
fn exp_of(v: f32) -> f32 {
  return select(exp(v), v, is_nan(v));
}

/** tanh of some drivers overflows for large arguments; this form does not, and keeps NaN. */
fn tanh_of(v: f32) -> f32 {
  return 1.0 - 2.0 / (exp_of(2.0 * v) + 1.0);
}
