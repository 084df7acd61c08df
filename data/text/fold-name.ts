// Names as they are compared: without case, accents and the number of spaces between words.

/** A name folded: 'Café  Noir ' -> 'cafe noir'. */
export function foldName(name: string): string {
  return name.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase().trim().replaceAll(/\s+/g, ' ');
}
