// Packs the repository as npm does and installs the archive into an empty folder, as a user's project has it: what the tests
// beside this file look at. The packages that dsmip depends on are links to the repository's, so that nothing is fetched;
// there are only those that package.json declares, so that a forgotten one fails.

import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../..', import.meta.url));

/** A folder with dsmip in its node_modules. Its name has a space and letters beyond ASCII, as users' folders do. */
export interface Project {
  folder: string;
  /** Where the package lies. */
  dsmip: string;
  /** Writes a file of the project. */
  write(name: string, text: string): void;
  /** Runs a command in the project and returns what it printed; throws with all of it where it failed. */
  run(command: string, args: readonly string[]): string;
  /** Runs `npx dsmip` there. */
  dsmipCommand(args: readonly string[]): string;
  remove(): void;
}

export function installedProject(): Project {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dsmip päckage '));
  const modules = path.join(folder, 'node_modules');
  const dsmip = path.join(modules, 'dsmip');
  fs.mkdirSync(dsmip, { recursive: true });
  const archive = pack(folder);
  execFileSync('tar', ['-x', '-f', archive, '-C', dsmip, '--strip-components=1', '--no-same-owner']);
  linkDependencies(modules);
  linkCommands(dsmip, modules);
  const project: Project = {
    folder,
    dsmip,
    write: (name, text) => fs.writeFileSync(path.join(folder, name), text),
    run: (command, args) => run(folder, command, args),
    dsmipCommand: (args) => npm(folder, 'npx-cli.js', ['--no-install', 'dsmip', ...args]),
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
  const dependencies = { dsmip: readJson(path.join(dsmip, 'package.json'))['version'] };
  project.write('package.json', JSON.stringify({ type: 'module', dependencies }));
  return project;
}

/** Runs `npm pack`, which builds first; returns the archive's path. */
function pack(folder: string): string {
  npm(repository, 'npm-cli.js', ['pack', '--silent', '--pack-destination', folder]);
  return path.join(folder, fs.readdirSync(folder).find((name) => name.endsWith('.tgz'))!);
}

/** Links what package-lock.json says that a user of dsmip gets. */
function linkDependencies(modules: string): void {
  const lock = readJson(path.join(repository, 'package-lock.json'));
  const packages = lock['packages'] as Record<string, { dev?: boolean }>;
  for (const [where, { dev }] of Object.entries(packages)) {
    const [, name, nested] = where.split('node_modules/');
    const target = path.join(repository, where);
    if (dev || !name || nested !== undefined || !fs.existsSync(target)) continue;
    fs.mkdirSync(path.dirname(path.join(modules, name)), { recursive: true });
    fs.symlinkSync(target, path.join(modules, name), 'dir');
  }
}

/** Makes the package's commands findable, as npm does. */
function linkCommands(dsmip: string, modules: string): void {
  const bin = (readJson(path.join(dsmip, 'package.json'))['bin'] ?? {}) as Record<string, string>;
  fs.mkdirSync(path.join(modules, '.bin'));
  for (const [name, file] of Object.entries(bin)) {
    fs.chmodSync(path.join(dsmip, file), 0o755);
    fs.symlinkSync(path.join(dsmip, file), path.join(modules, '.bin', name));
  }
}

/** Runs npm or npx: those that run this test, else those in PATH. */
function npm(cwd: string, script: 'npm-cli.js' | 'npx-cli.js', args: readonly string[]): string {
  const own = process.env['npm_execpath'];
  return own
    ? run(cwd, process.execPath, [path.join(path.dirname(own), script), ...args])
    : run(cwd, script.replace('-cli.js', ''), args);
}

function run(cwd: string, command: string, args: readonly string[]): string {
  // Commands start with this Node, whatever the system's is.
  const PATH = `${path.dirname(process.execPath)}${path.delimiter}${process.env['PATH']}`;
  const env = { ...process.env, PATH };
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')}: ${signal ?? status}\n${stdout}\n${stderr}`);
  return stdout;
}

function readJson(file: string): Record<string, unknown> {
  return JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>;
}
