// Folders by the hashes of their files, to be compared with what they would be had nothing disturbed the work.

import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Hashes by the path within the folder; a folder is `name/` without one. */
export type Listing = ReadonlyMap<string, string>;

/** All files and folders below; of a training's log everything but the times, and the checksums with them. Nothing where there is no such folder. */
export function listing(folder: string): Listing {
  if (!existsSync(folder)) return new Map();
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return new Map(
    names.map((name) => {
      const path = join(folder, name);
      const found = lstatSync(path);
      return found.isDirectory() ? [`${name}/`, ''] : [name, hashOfFile(path)];
    }),
  );
}

/** What is not as expected, in words, a line each. */
export function differences(found: Listing, expected: Listing): string[] {
  const lines: string[] = [];
  for (const [name, hash] of found) {
    if (!expected.has(name)) lines.push(`${name} is left over`);
    else if (expected.get(name) !== hash) lines.push(`${name} has other bytes`);
  }
  for (const name of expected.keys()) if (!found.has(name)) lines.push(`${name} is missing`);
  return lines;
}

export function hashOfFile(path: string): string {
  const bytes = readFileSync(path);
  const hash = createHash('sha256');
  if (path.endsWith('metrics.jsonl'))
    hash.update(bytes.toString().replace(/"(seconds|checksum)":[^,}]*/g, ''));
  else hash.update(bytes);
  return hash.digest('hex');
}
