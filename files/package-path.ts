// Where what is shipped with the package lies: data, weights and presets, wherever a command is called from.

import { isUrl } from './locate.ts';

/** Stands before paths of a configuration that begin in the package's folder; others begin in the working folder. */
const prefix = 'package:';

let found: string | null = null;

/** The folder of the package, from its source as from what was built of it. */
export function packageRoot(): string {
  if (found !== null) return found;
  // Not imported at the top: a browser loads this file with others, and never calls it.
  const { fileURLToPath } = process.getBuiltinModule('node:url');
  const { dirname } = process.getBuiltinModule('node:path');
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!isRoot(folder)) {
    const above = dirname(folder);
    if (above === folder) throw new Error("the package's own package.json was not found");
    folder = above;
  }
  found = folder;
  return folder;
}

/** Whether a path was written as one that begins in the package's folder. */
export function isInPackage(path: string): boolean {
  return path.startsWith(prefix);
}

/** The path that a configuration means: 'package:data/openconcepts' lies in the package. */
export function resolvePath(path: string): string {
  if (!isInPackage(path)) return path;
  return process.getBuiltinModule('node:path').join(packageRoot(), path.slice(prefix.length));
}

/** The path as it is written where another process, called from elsewhere, is to find it. Addresses stay as they are. */
export function lastingPath(path: string): string {
  if (isUrl(path)) return path;
  const { resolve, relative, isAbsolute, sep } = process.getBuiltinModule('node:path');
  const inPackage = relative(packageRoot(), resolve(path));
  const isInside = inPackage !== '..' && !inPackage.startsWith(`..${sep}`) && !isAbsolute(inPackage);
  return isInside ? prefix + inPackage.replaceAll(sep, '/') : resolve(path);
}

function isRoot(folder: string): boolean {
  const { existsSync, readFileSync } = process.getBuiltinModule('node:fs');
  const file = process.getBuiltinModule('node:path').join(folder, 'package.json');
  if (!existsSync(file)) return false;
  return (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name === 'dsmip';
}
