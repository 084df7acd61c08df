// The printable alphabet that byte-level BPE files write bytes in (GPT-2, kept by CLIP): each of the 256
// bytes is one character, so that vocab.json and merges.txt hold no white space or control characters. Knows
// no vocabulary.

/** The mark that CLIP's vocabulary puts after the last byte of a word. */
export const END_OF_WORD = '</w>';

/** CLIP's two special tokens, spelled as in vocab.json and in text. */
export const BEGIN_TOKEN = '<|startoftext|>';
export const END_TOKEN = '<|endoftext|>';

/**
 * The 256 bytes in the order of CLIP's ids 0..255: those that print as themselves in Latin-1 first, then the
 * rest.
 */
export const BYTE_ORDER: readonly number[] = byteOrder();

/** `BYTE_TO_CHAR[byte]` is the character that stands for the byte. */
export const BYTE_TO_CHAR: readonly string[] = byteToChar();

const CHAR_TO_BYTE = new Map(BYTE_TO_CHAR.map((char, byte) => [char, byte]));

/** The byte that `char` stands for, or undefined for a character outside the alphabet. */
export function charToByte(char: string): number | undefined {
  return CHAR_TO_BYTE.get(char);
}

function byteOrder(): number[] {
  const prints = (byte: number): boolean => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  return [...bytes.filter(prints), ...bytes.filter((byte) => !prints(byte))];
}

/** Bytes that do not print take the code points from 256 up, in order. Source: GPT-2's `bytes_to_unicode`. */
function byteToChar(): string[] {
  const chars = new Array<string>(256);
  BYTE_ORDER.forEach((byte, place) => {
    chars[byte] = String.fromCharCode(place < 188 ? byte : 256 + place - 188);
  });
  return chars;
}
