// What is wrong with a weight file, in one line, so that entry points can tell bad input from a bug.

/** A file of weights or its configuration is missing, damaged or not what the model needs. */
export class WeightsError extends Error {
  override name = 'WeightsError';
}
