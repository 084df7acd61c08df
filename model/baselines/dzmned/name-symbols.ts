// A name as symbols for an LSTM over characters: the bytes of its UTF-8.

/** Bytes, and one symbol more. */
export const symbolCount = 257;
/** All that an empty name consists of. */
const emptyName = 256;
/** Bytes of a name, at most; a name that is longer is cut, within a character too. */
const mostBytes = 32;

const utf8 = new TextEncoder();

/** The symbols of a name: at least one. */
export function nameSymbols(name: string): ArrayLike<number> {
  const bytes = utf8.encode(name);
  return bytes.length === 0 ? [emptyName] : bytes.subarray(0, mostBytes);
}
