// Names as they are compared: forms in which spelling, number and small words no longer count, and how far two are apart.

import damerauLevenshtein from 'damerau-levenshtein';
import pluralize from 'pluralize';

/** Letters that no decomposition of Unicode takes apart, as people without such keys write them. */
const letters: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ı: 'i',
  ς: 'σ',
};
const unusual = new RegExp(`[${Object.keys(letters).join('')}]`, 'g');

/** Shorter words are taken as they are: they are seldom plurals, and one letter more or less makes other words of them. */
const leastLetters = 4;
/** Longer names are found by their exact form only. */
const mostLetters = 32;
/** Words from here on may be two letters off. */
const longWord = 8;

/**
 * A name without case, accents of Latin, Greek and Cyrillic letters, and the number of spaces between words; a Turkish i of
 * any kind is an i. Marks that are letters stay, as Devanagari has them.
 */
export function foldName(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
    .toLowerCase()
    .replace(unusual, (letter) => letters[letter]!)
    .trim()
    .replace(/\s+/g, ' ');
}

/**
 * `foldName` without apostrophes, full stops and the differences between hyphens and other punctuation. A name of nothing but
 * punctuation stays.
 */
export function plainName(name: string): string {
  const folded = foldName(name);
  const bare = folded
    .replace(/['’ʼ`]/g, '')
    .replace(/(?<!\p{N})\.|\.(?!\p{N})/gu, '')
    // Signs that tell names apart stay: C#, AT&T.
    .replace(/(?:(?![#%&@*])[\p{P}\s])+/gu, ' ')
    .trim();
  return bare === '' ? folded : bare;
}

/** The form in which two names are the same: `plainName` without an article before it and a possessive s after it. */
export function exactForm(name: string): string {
  return plainName(name.trim().replace(/['’ʼ][sS]$/, '')).replace(/^the (?=\S)/, '');
}

/** The form that a name shares with its plural: by the English rules of the package pluralize, on the last word. */
export function nameKey(name: string): string {
  return keyOf(exactForm(name));
}

/** The same of a name that is in its exact form. */
export function keyOf(form: string): string {
  const last = form.slice(form.lastIndexOf(' ') + 1);
  if (last.length < leastLetters) return form;
  return form.slice(0, form.length - last.length) + pluralize.singular(last);
}

/**
 * What a key shares with every key that is one edit away: itself, and what is left when any one letter is taken out. None
 * for keys that are too short or too long to be mistyped ones.
 */
export function nearForms(key: string): string[] {
  if (key.length < leastLetters || key.length > mostLetters) return [];
  const forms = new Set([key]);
  for (let i = 0; i < key.length; i++) forms.add(key.slice(0, i) + key.slice(i + 1));
  return [...forms];
}

/**
 * How alike two keys are that may be one name mistyped: 1 - edits / letters of the longer one, an edit being a letter too
 * many, too few, another, or two neighbours exchanged; 0 for more than one edit, in words of 8 letters and more than two.
 */
export function similarity(word: string, name: string): number {
  const { steps, similarity: alike } = damerauLevenshtein(word, name);
  const most = Math.min(word.length, name.length) < longWord ? 1 : 2;
  return steps > most ? 0 : alike;
}
