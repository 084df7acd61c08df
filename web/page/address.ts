// What is asked as a part of the page's address, so that a link leads to it: #word=..&sentence=..&top=..&base=..

/** A part of a sentence: from the letter of this number to that of the other. */
export type Range = readonly [start: number, end: number];

export interface Asked {
  sentence: string;
  /** The word in it; null where none is chosen. */
  range: Range | null;
  top: number;
  /** The visitor's knowledge base of which entities are asked for; null for the site's. */
  base: string | null;
}

export const mostTop = 20;
export const usualTop = 5;

/** What an address asks for; null where it asks for nothing. */
export function readAddress(hash: string): Asked | null {
  const fields = new URLSearchParams(hash.replace(/^#/, ''));
  const [word, sentence] = [fields.get('word') ?? '', fields.get('sentence') ?? ''];
  if (sentence === '') return null;
  const top = Math.round(Number(fields.get('top') ?? usualTop));
  return {
    sentence,
    range: findWord(sentence, word),
    top: top >= 1 && top <= mostTop ? top : usualTop,
    base: fields.get('base'),
  };
}

export function addressOf({ sentence, range, top, base }: Asked): string {
  const fields = new URLSearchParams();
  if (range) fields.set('word', sentence.slice(...range));
  fields.set('sentence', sentence);
  if (top !== usualTop) fields.set('top', `${top}`);
  if (base !== null) fields.set('base', base);
  return `#${fields}`;
}

/** Where a word stands in a sentence, whole rather than in another, and as near to `near` as it can; null where it does not. */
export function findWord(sentence: string, word: string, near = 0): Range | null {
  const places = placesOf(sentence, word);
  const whole = places.filter((place) => isWhole(sentence, place));
  const [best] = (whole.length > 0 ? whole : places).sort(
    (a, b) => Math.abs(a[0] - near) - Math.abs(b[0] - near),
  );
  return best ?? null;
}

/** Whether a word stands in a sentence and not only in another word. */
export function hasWord(sentence: string, word: string): boolean {
  return placesOf(sentence, word).some((place) => isWhole(sentence, place));
}

function placesOf(sentence: string, word: string): Range[] {
  if (word.trim() === '') return [];
  const literal = word.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return [...sentence.matchAll(new RegExp(literal, 'giu'))].map(({ index }) => [index, index + word.length]);
}

function isWhole(sentence: string, [start, end]: Range): boolean {
  return !/[\p{L}\p{N}]/u.test(`${sentence[start - 1] ?? ' '}${sentence[end] ?? ' '}`);
}

/** Where the words of a sentence stand. */
export function wordsOf(sentence: string): Range[] {
  return [...sentence.matchAll(/[\p{L}\p{N}]+(?:['’.-][\p{L}\p{N}]+)*/gu)].map(({ 0: word, index }) => [
    index,
    index + word.length,
  ]);
}

/** A selection without the white space around it; null where nothing else is in it. */
export function trimmedRange(sentence: string, start: number, end: number): Range | null {
  const chosen = sentence.slice(start, end);
  const first = start + chosen.length - chosen.trimStart().length;
  const word = chosen.trim();
  return word === '' ? null : [first, first + word.length];
}
