// Where what is shipped with the package lies: data, weights and presets, wherever a command is called from.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Stands before paths of a configuration that begin in the package's folder; others begin in the working folder. */
const prefix = 'package:';

let found: string | null = null;

/** The folder of the package, from its source as from what was built of it. */
export function packageRoot(): string {
  if (found !== null) return found;
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!isRoot(folder)) {
    const above = dirname(folder);
    if (above === folder) throw new Error("the package's own package.json was not found");
    folder = above;
  }
  found = folder;
  return folder;
}

/** The path that a configuration means: 'package:data/openconcepts' lies in the package. */
export function resolvePath(path: string): string {
  return path.startsWith(prefix) ? join(packageRoot(), path.slice(prefix.length)) : path;
}

function isRoot(folder: string): boolean {
  const file = join(folder, 'package.json');
  if (!existsSync(file)) return false;
  return (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name === 'dsmip';
}
