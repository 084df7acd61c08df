// Images of noise in a folder, numbered from 1 as samples number them; number 0 is no image.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import jpeg from 'jpeg-js';
import { generator } from '../random.ts';

/** Writes `count` images of side x side pixels; their paths by number. */
export function noiseImages(folder: string, count: number, side: number): (string | null)[] {
  const files: (string | null)[] = [null];
  const noise = generator(3);
  for (let i = 1; i <= count; i++) {
    const data = Uint8Array.from({ length: 4 * side * side }, () => Math.floor(256 * noise()));
    files.push(join(folder, `${i}.jpg`));
    writeFileSync(files[i]!, jpeg.encode({ width: side, height: side, data }, 95).data);
  }
  return files;
}
