// Aligned columns for a terminal.

import { visible } from '../files/errors.ts';

/**
 * Lines of a table, two spaces between columns: those whose numbers are in `left` begin at the left, the
 * others end at the right. Line ends and control characters of a cell are escaped. A row with nothing in its other columns is a heading and may stick out.
 */
export function textTable(texts: readonly (readonly string[])[], left: readonly number[] = [0]): string[] {
  const rows = texts.map((row) => row.map(visible));
  const measured = rows.filter((row) => row.slice(1).some((cell) => cell !== ''));
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, i) =>
    Math.max(0, ...measured.map((row) => lengthOf(row[i] ?? ''))),
  );
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const gap = ' '.repeat(Math.max(0, widths[i]! - lengthOf(cell)));
        return left.includes(i) ? cell + gap : gap + cell;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** In characters as a terminal counts them: wide ones of East Asia take two places. */
function lengthOf(text: string): number {
  const wide =
    /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/u;
  return [...text.normalize('NFC')].reduce((sum, letter) => sum + (wide.test(letter) ? 2 : 1), 0);
}
