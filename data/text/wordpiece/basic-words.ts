// Text to the words that uncased WordPiece works inside of: google-research/bert's BasicTokenizer, in Python's terms where
// JavaScript's differ.

/** CJK ideographs, each a word of its own. */
const IDEOGRAPH =
  /[\u{4E00}-\u{9FFF}\u{3400}-\u{4DBF}\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B820}-\u{2CEAF}\u{F900}-\u{FAFF}\u{2F800}-\u{2FA1F}]/gu;

/** Tab and line ends are white space, though their category is that of controls. */
const WHITE = /[\t\n\r\p{Z}]+/gu;

/** Control, format, private, unassigned characters and lone surrogates; what stands for a character that could not be read. */
const DROPPED = /[\p{C}\uFFFD]/gu;

/** Punctuation, and the symbols of ASCII, whatever their category. */
const MARK = /[\p{P}!-/:-@[-`{-~]/gu;

const ACCENT = /\p{Mn}/gu;

/**
 * The words of `text`, in lower case and without accents: what white space parts, each punctuation mark and each CJK ideograph
 * a word of its own. A final capital sigma becomes the final small one.
 */
export function basicWords(text: string): string[] {
  const clean = text.replace(WHITE, ' ').replace(DROPPED, '').replace(IDEOGRAPH, ' $& ');
  const plain = clean.toLowerCase().normalize('NFD').replace(ACCENT, '').replace(MARK, ' $& ');
  return plain.split(' ').filter((word) => word !== '');
}
