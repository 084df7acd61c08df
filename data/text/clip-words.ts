// Text to the words that CLIP's BPE works inside of: the cleaning, lowercasing and word split of OpenAI's
// `simple_tokenizer.py`, in Python's terms where JavaScript's differ. Shared by the tokenizer and the BPE
// trainer.
//
// Left out on purpose: ftfy's mending and HTML unescaping of the original, and the NFC of Hugging Face's
// tokenizer (the reference ids keep U+0958 and other decomposing letters as they are).

// White space is Unicode's property, as in Python's `regex`: with U+0085, without U+FEFF (JavaScript's \s is
// the other way round). The original ignores case; on lowercased text that only adds the long s (U+017F) to
// the s.
const WORD =
  /<\|[sſ]tartoftext\|>|<\|endoftext\|>|'[sſtmd]|'re|'ve|'ll|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;

/**
 * U+0345, an iota below, is in no word: ignoring case makes it a letter to the original's last class alone.
 */
const IOTA_BELOW = '\u0345';

/**
 * The words of `text`, lowercased: letter runs, single digits, punctuation runs, English contractions and the
 * two special tokens. A lone surrogate becomes U+FFFD. No word holds white space or an upper-case ASCII
 * letter.
 */
export function clipWords(text: string): string[] {
  return cleaned(text.slice(...inner(text))).match(WORD) ?? [];
}

/** Where each of `clipWords` stands in the text, from its first UTF-16 unit to before `end`. */
export function clipWordSpans(text: string): { word: string; start: number; end: number }[] {
  const [first, last] = inner(text);
  // Of each unit that is cleaned, the letter that it comes from: one may become two when it is lowercased.
  const letters: { start: number; end: number }[] = [];
  let start = first;
  for (const letter of text.slice(first, last)) {
    const end = start + letter.length;
    for (let i = letter.toLowerCase().length; i > 0; i--) letters.push({ start, end });
    start = end;
  }
  return [...cleaned(text.slice(first, last)).matchAll(WORD)].map(({ 0: word, index }) => ({
    word,
    start: letters[index]!.start,
    end: letters[index + word.length - 1]!.end,
  }));
}

function cleaned(text: string): string {
  return wellFormed(text).toLowerCase().replaceAll(IOTA_BELOW, ' ');
}

/**
 * What Python's `str.strip` leaves, which also takes the separators U+001C..U+001F that are not white space within a
 * text.
 */
function inner(text: string): readonly [start: number, end: number] {
  let start = 0;
  let end = text.length;
  while (start < end && isStripped(text.charAt(start))) start++;
  while (end > start && isStripped(text.charAt(end - 1))) end--;
  return [start, end];
}

function isStripped(char: string): boolean {
  return (char >= '\u001c' && char <= '\u001f') || /\p{White_Space}/u.test(char);
}

function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}
