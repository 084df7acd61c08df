// What is wrong with a weight file, in one line, so that entry points can tell bad input from a bug.

/** A file of weights or its configuration is missing, damaged or not what the model needs. */
export class WeightsError extends Error {
  override name = 'WeightsError';
}

/** There is no file of that name, in the folder or on the server. */
export class MissingFileError extends WeightsError {
  override name = 'MissingFileError';
}

/** A connection failed in a way that trying again may mend. */
export class InterruptedError extends WeightsError {
  override name = 'InterruptedError';
}

/** Foreign text, from a file or a library, short and on one line. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}
