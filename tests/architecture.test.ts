// Holds the repository to its rules: who may import whom, no cycles, who may print, how large a folder may be. Each
// failure names the file and the line. CONTRIBUTING.md says in words what this file checks.

import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Import,
  loadCycles,
  readSource,
  type SourceFile,
  sourcePaths,
  startsWithComment,
} from './support/source-files.ts';

/** The rooms from the ground up, and what each may import besides itself. */
const rooms: Readonly<Record<string, readonly string[]>> = (() => {
  const ground = { shaders: [], engine: ['shaders'], files: [], weights: ['files'], data: ['files'] };
  const encoding = ['engine', 'files', 'weights', 'data'];
  const ranking = ['engine', 'files', 'weights', 'encoding'];
  const model = [...encoding, 'encoding', 'ranking'];
  const link = [...model, 'model'];
  const train = [...link, 'link'];
  const evaluation = [...train, 'train'];
  const cli = ['shaders', ...evaluation, 'eval', 'web', 'bench', 'setup.mjs'];
  const web = train;
  const bench = ['shaders', ...evaluation, 'eval', 'cli', 'tests'];
  return { ...ground, encoding, ranking, model, link, train, eval: evaluation, web, cli, bench };
})();

/** Rooms and files at the root that may import everything. */
const openRooms = ['tests', 'index.ts', 'build.ts', 'setup.mjs'];

/** Folders and files that talk to a person: they print, read the arguments and set the exit code. */
const commandRooms = [
  'cli',
  'web',
  'bench',
  'tests',
  'data/openconcepts-builder',
  'data/text/train-bpe.ts',
  'shaders/generate.ts',
  'build.ts',
  'setup.mjs',
];

/** The paths that people were told: each a few lines over cli/. */
const commandFiles = ['train/expert.ts', 'train/gate.ts'];
const mostCommandLines = 20;

/** What a browser loads: nothing of Node's may stand at its top. */
const browserEntries = ['index.ts', 'engine/index.ts', 'model/index.ts', 'link/index.ts'];

const mostFilesInFolder = 15;

const files = sourcePaths();
const sources = files.filter((file) => !file.endsWith('.wgsl')).map(readSource);

interface Violation {
  file: string;
  line?: number;
  message: string;
}

/** One rule: fails with every violation. */
function rule(name: string, violations: () => Violation[]): void {
  test(name, () => {
    const lines = violations().map(
      ({ file, line, message }) => `${line === undefined ? file : `${file}:${line}`}: ${message}`,
    );
    if (lines.length === 0) return;
    const error = new Error(`${lines.length} violations\n${lines.join('\n')}`);
    error.stack = ''; // which would repeat the lines and add where this test stands
    throw error;
  });
}

const roomOf = (file: string) => file.split('/')[0]!;
const isIn = (file: string, places: readonly string[]) =>
  places.some((place) => file === place || file.startsWith(`${place}/`));
const localImports = ({ imports }: SourceFile): Import[] => imports.filter(({ isLocal }) => isLocal);

rule('imports go down the rooms only', () =>
  sources.flatMap((source) => {
    const room = roomOf(source.path);
    if (openRooms.includes(room)) return [];
    const allowed = rooms[room];
    if (!allowed)
      return [{ file: source.path, message: `${room} is no room: add it to the table of this test` }];
    return localImports(source)
      .filter(({ target }) => roomOf(target) !== room && !allowed.includes(roomOf(target)))
      .filter(({ target }) => !(commandFiles.includes(source.path) && roomOf(target) === 'cli'))
      .map(({ line, target }) => ({ file: source.path, line, message: `${room} must not import ${target}` }));
  }),
);

rule('encoders of model/ know no system, DSMIP no baseline, and no baseline another', () => {
  const partOf = (file: string) => {
    const [room, part, name, inside] = file.split('/');
    if (room !== 'model' || name === undefined) return null;
    if (part !== 'baselines') return part!;
    // What stands beside the systems, the registry among it, is none of them.
    return inside === undefined ? null : `baselines/${name}`;
  };
  const isSystem = (part: string) => part === 'dsmip' || part.startsWith('baselines/');
  return sources.flatMap((source) => {
    const own = partOf(source.path);
    if (own === null) return [];
    return localImports(source)
      .filter(({ target }) => {
        const part = partOf(target);
        // MIMIC is an expert without prompts: a baseline may stand on DSMIP's units.
        const isBelow = part === 'dsmip' && own.startsWith('baselines/');
        return part !== null && part !== own && isSystem(part) && !isBelow;
      })
      .map(({ line, target }) => ({
        file: source.path,
        line,
        message: `model/${own} must not import ${target}`,
      }));
  });
});

rule('no files load each other in a circle', () => {
  const edges = new Map(
    sources.map((source) => [
      source.path,
      localImports(source)
        .filter(({ loads }) => loads === 'at the top')
        .map(({ target }) => target),
    ]),
  );
  return loadCycles(edges).flatMap((cycle) =>
    cycle.flatMap((file) => {
      const { imports } = sources.find(({ path }) => path === file)!;
      return imports
        .filter(({ target, loads }) => loads === 'at the top' && cycle.includes(target))
        .map(({ line, target }) => ({ file, line, message: `loads ${target}, which loads it in turn` }));
    }),
  );
});

rule('only commands print, read arguments and set the exit code', () =>
  libraryFiles().flatMap(({ path, processUses }) =>
    processUses.map(({ line, text }) => ({ file: path, line, message: `uses ${text}` })),
  ),
);

rule('only commands name flags', () =>
  libraryFiles().flatMap(({ path, strings }) =>
    strings
      .filter(({ text }) => /(^|[\s'"`]|(?<!var)\()--[a-z][a-z-]*(?![a-z-]|:)/.test(text)) // not CSS
      .map(({ line, text }) => ({ file: path, line, message: `names a flag: ${text.trim().slice(0, 80)}` })),
  ),
);

/** Everything but the commands; a command file is judged by its length. */
function libraryFiles(): SourceFile[] {
  return sources.filter((source) => !isIn(source.path, [...commandRooms, ...commandFiles]));
}

rule('a command file outside cli/ is a few lines', () =>
  sources
    .filter(({ path, lines }) => commandFiles.includes(path) && lines > mostCommandLines)
    .map(({ path, lines }) => ({ file: path, message: `${lines} lines; ${mostCommandLines} at the most` })),
);

rule('what the browser loads needs nothing of Node', () =>
  browserSources().flatMap(({ path, imports }) =>
    imports
      .filter(({ target, loads }) => loads === 'at the top' && target.startsWith('node:'))
      .map(({ line, target }) => ({ file: path, line, message: `loads ${target}` })),
  ),
);

rule('bundlers for browsers leave out what is only imported in Node', () => {
  const { browser } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    browser: Record<string, unknown>;
  };
  return browserSources().flatMap(({ path, imports }) =>
    imports
      .filter(({ target, loads }) => loads !== 'never' && target.startsWith('node:') && !(target in browser))
      .map(({ line, target }) => ({
        file: path,
        line,
        message: `${target} is not in package.json's browser`,
      })),
  );
});

/** The files that the browser's entry points load, at the top or later. */
function browserSources(): SourceFile[] {
  const found = new Map<string, SourceFile>();
  const waiting = [...browserEntries];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    const source = sources.find(({ path }) => path === file);
    if (!source) throw new Error(`${file} does not exist`);
    found.set(file, source);
    const local = localImports(source).filter(
      ({ loads, target }) => loads !== 'never' && /\.(ts|mjs)$/.test(target),
    );
    waiting.push(...local.map(({ target }) => target));
  }
  return [...found.values()];
}

rule(`no folder holds more than ${mostFilesInFolder} files`, () => {
  const counts = new Map<string, number>();
  for (const file of files) {
    const folder = path.posix.dirname(file);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count > mostFilesInFolder)
    .map(([file, count]) => ({ file, message: `${count} files` }));
});

rule('a file has a plain name and starts by saying what it is for', () => [
  ...files
    .filter((file) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|browser))?\.\w+$/.test(path.posix.basename(file)))
    .map((file) => ({ file, message: 'the name is not in lower case with hyphens' })),
  ...files
    .filter((file) => !startsWithComment(file))
    .map((file) => ({ file, line: 1, message: 'no comment at its head' })),
]);

rule('tests mirror the tree', () => {
  const folders = new Set(files.map((file) => path.posix.dirname(file)));
  const own = ['fuzz', 'support', 'package'];
  return files
    .filter((file) => file.startsWith('tests/') && file.endsWith('.test.ts'))
    .map((file) => ({ file, folder: path.posix.dirname(file).slice('tests/'.length) }))
    .filter(({ folder }) => folder !== '' && !own.includes(folder) && !folders.has(folder))
    .map(({ file, folder }) => ({ file, message: `there is no ${folder}/` }));
});

test('circles are found wherever they start', () => {
  const edges = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['d']],
    ['d', ['b']],
    ['e', ['f', 'a']],
    ['f', ['e']],
  ]);
  assert.equal(loadCycles(edges), [
    ['b', 'c', 'd'],
    ['e', 'f'],
  ]);
});

test.run();
