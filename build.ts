// Builds what the package ships: `npm run build` makes dist/ anew, with the JavaScript, the type declarations and the source
// maps of the entry points in tsconfig.build.json and of all that they import, a file for a file. The TypeScript compiler does
// it; this script adds what it leaves: the extensions of imports in declarations.

import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(fileURLToPath(import.meta.url));
const dist = path.join(root, 'dist');

fs.rmSync(dist, { recursive: true, force: true });
const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const { status } = spawnSync(process.execPath, [compiler, '-p', path.join(root, 'tsconfig.build.json')], {
  stdio: 'inherit',
});
if (status === 0) {
  const declarations = filesIn(dist).filter((file) => file.endsWith('.d.ts'));
  for (const file of declarations) importJavaScript(file);
  console.log(`dist: ${declarations.length} modules, ${megabytes(filesIn(dist))} MB`);
} else {
  process.exitCode = 1;
}

/**
 * Makes the relative imports of a declaration file name .js files, as those of the JavaScript do. The compiler keeps .ts in
 * declarations: it finds them itself, but not every tool does.
 */
function importJavaScript(file: string): void {
  const text = fs.readFileSync(file, 'utf8');
  fs.writeFileSync(file, text.replaceAll(/((?:from|import\() ?['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1.js$2'));
}

function filesIn(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

function megabytes(files: string[]): string {
  return (files.reduce((sum, file) => sum + fs.statSync(file).size, 0) / 1e6).toFixed(1);
}
