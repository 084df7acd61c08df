// Texts of a case that come as token ids, and other lists of symbols among its inputs.

import type { CaseConfig } from '../case.ts';
import { type CaseContext, integers } from '../kind.ts';

/** Whether texts are token ids. */
export function isStatic(config: CaseConfig): boolean {
  return config.get('text', 'clip or static', (value) => value === 'clip' || value === 'static') === 'static';
}

/** The real symbols of each row. */
export function symbolRows(context: CaseContext, ids: string, mask: string): Int32Array[] {
  const { shape, data } = integers(context, ids);
  const real = integers(context, mask).data;
  const [count, length] = shape as [number, number];
  return Array.from({ length: count }, (_, row) =>
    data.subarray(row * length, (row + 1) * length).filter((_, i) => real[row * length + i] !== 0),
  );
}
