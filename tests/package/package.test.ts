// What a user gets from the packed archive, in an empty folder: the files, `import` in Node and in Deno, the types, the command.

import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeToy } from '../support/toy-run.ts';
import { installedProject, type Project, repository } from './installed.ts';

let project: Project;
test.before(() => {
  project = installedProject();
});
test.after(() => project.remove());

/** Fits y = W x for a known W; prints the first and the last loss. TypeScript, and JavaScript once its types are taken off. */
const regression = `
import { Adam, backward, linear, mean, mul, openDevice, sub/*: */, type Tensor/* */ } from 'dsmip/engine';

const device = await openDevice();
const inputs = Array.from({ length: 64 }, (_, i) => Math.sin(i * i));
const x/*: */: Tensor/* */ = device.tensor([16, 4], inputs);
const y = device.scope(() => linear(x, device.tensor([2, 4], [1, -2, 3, 0.5, 0, 1, -1, 2]), null));
const weight = device.parameter([2, 4], Array(8).fill(0), 'weight');
const adam = new Adam([weight], { lr: 0.1 });
const losses/*: */: number[]/* */ = [];
for (let step = 0; step < 100; step += 1) {
  losses.push(await device.scope(() => {
    const error = sub(linear(x, weight, null), y);
    const loss = mean(mul(error, error));
    adam.step(backward(loss));
    return loss.item();
  }));
}
console.log(JSON.stringify([losses[0], losses.at(-1)]));
device.destroy();
`;
const javaScript = regression.replaceAll(/\/\*: \*\/.*?\/\* \*\//g, '');

/** What the compiler must refuse: each line stands behind an "expect an error here". */
const misuse = `
// @ts-expect-error: a shape is a list of numbers
device.tensor('16 x 4', inputs);
// @ts-expect-error: there is no such dtype
device.zeros([4], 'f64');
`;

test('the archive has what a user needs and nothing else', () => {
  const names = fs
    .readdirSync(project.dsmip, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(project.dsmip, path.join(entry.parentPath, entry.name)));
  const shipped =
    /^(dist\/.*\.(js|js\.map|d\.ts)|data\/openconcepts\/.*|presets\/.*\.json|weights\/tiny-(albef|bert|clip)\/.*|web\/page\/static\/.*|package\.json|README\.md|LICENSE|CHANGELOG\.md|setup\.mjs)$/;
  assert.equal(
    names.filter((name) => !shipped.test(name)),
    [],
  );
  for (const name of [
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'weights/tiny-clip/model.safetensors',
    'weights/tiny-bert/vocab.txt',
    'weights/tiny-albef/model.safetensors',
  ]) {
    assert.ok(names.includes(name), name);
  }
});

test('every entry point has its code and its types', () => {
  const { exports, bin } = JSON.parse(fs.readFileSync(path.join(project.dsmip, 'package.json'), 'utf8')) as {
    exports: Record<string, string | Record<string, string>>;
    bin?: Record<string, string>;
  };
  const targets = [...Object.values(exports), ...Object.values(bin ?? {})].flatMap((target) =>
    typeof target === 'string' ? target : Object.values(target),
  );
  for (const target of targets) assert.ok(fs.existsSync(path.join(project.dsmip, target)), target);
});

test('Node imports the engine from JavaScript', () => {
  project.write('regression.js', javaScript);
  assertLearned(project.run(process.execPath, ['regression.js']));
});

test('Node imports the engine from TypeScript, with types that the compiler checks', () => {
  compile('regression.ts', regression + misuse);
  project.write('regression.ts', regression);
  assertLearned(project.run(process.execPath, ['regression.ts']));
});

const encode = `
import { openDevice } from 'dsmip/engine';
import { loadClip, loadTokenizer } from 'dsmip/model';

const folder = 'node_modules/dsmip/weights/tiny-clip';
const device = await openDevice();
const { module: clip, config } = await loadClip(device, folder);
const tokenizer = await loadTokenizer(folder);
const texts = ['a seal in the water', 'a seal of wax'];
const batch = { ...tokenizer.encodeBatch(texts, config.text.maxLength), count: texts.length };
const embeds = await device.scope(() => device.read(clip.text.encode(batch).embeds));
console.log(JSON.stringify([embeds.length / config.projection, Math.hypot(...embeds) ** 2]));
`;

test('Node encodes texts with the CLIP that is shipped', () => {
  project.write('encode.js', encode);
  const [texts, length] = JSON.parse(project.run(process.execPath, ['encode.js'])) as [number, number];
  assert.is(texts, 2);
  assert.ok(Math.abs(length - 2) < 1e-4, `the sum of the vectors' squared lengths is ${length}`);
});

/** The declarations of all entry points, in the eyes of the strictest compiler; and what a program does with them. */
const declarations = `
import { openDevice } from 'dsmip/engine';
import { loadClip, type LoadedClip } from 'dsmip/model';
import { openLinker } from 'dsmip/link';
import { expertConfigOf, readPreset, trainExpert, type Session } from 'dsmip/train';
import { evaluate } from 'dsmip/eval';
import * as all from 'dsmip';

const clip: LoadedClip = await loadClip(await openDevice(), 'node_modules/dsmip/weights/tiny-clip');
const width: number = clip.config.text.width;
const config = expertConfigOf(await readPreset('openconcepts'), 'text');
config.training.learningRate = 1e-3;
// @ts-expect-error: a rate is a number
config.training.learningRate = 'high';
const train = (session: Session) => trainExpert(config, session, { onProgress: ({ done }) => done.toFixed() });
// @ts-expect-error: a linker is opened, not constructed
new all.Linker();
export { evaluate, openLinker, train, width };
`;

test('the types of every entry point hold in a strict project without Node', () => {
  compile('declarations.ts', declarations);
});

test('Deno imports the engine', () => {
  project.write('regression.ts', regression);
  project.write('deno.json', JSON.stringify({ nodeModulesDir: 'manual' }));
  const deno = path.join(repository, 'node_modules', '.bin', 'deno');
  assertLearned(project.run(deno, ['run', '--no-lock', '--check', '-A', 'regression.ts']));
});

/** Has the compiler check one file of the project as strictly as it can; nothing of Node's types is there. */
function compile(name: string, text: string): void {
  project.write(name, text);
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2023', 'dom', 'dom.iterable'],
    types: [],
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    verbatimModuleSyntax: true,
  };
  project.write('tsconfig.json', JSON.stringify({ compilerOptions, files: [name] }));
  project.run(process.execPath, [path.join(repository, 'node_modules', 'typescript', 'bin', 'tsc')]);
}

test('npx dsmip says what it can do, and looks at the data set that is shipped', () => {
  assert.match(project.dsmipCommand(['--help']), /Usage: dsmip COMMAND/);
  const counts = project.dsmipCommand(['inspect', 'node_modules/dsmip/data/openconcepts']);
  assert.match(counts, /Entities +2,569/);
});

test('npx dsmip trains an expert, and links by it', async () => {
  const toy = await makeToy();
  try {
    project.dsmipCommand(['train', 'expert', '--expert', 'multimodal', '--epochs', '1', ...toy.flags]);
    const seal = ['--word', 'seal', '--sentence', 'the animal with fur ran away', '--top', '3', '--json'];
    const { entities } = JSON.parse(project.dsmipCommand(['link', ...seal, ...toy.flags])) as {
      entities: { name: string; score: number }[];
    };
    assert.is(entities.length, 3);
    assert.ok(entities.every(({ name, score }) => name !== '' && Number.isFinite(score)));
  } finally {
    fs.rmSync(toy.folder, { recursive: true, force: true });
  }
});

/** The last line printed is a JSON list of the first and the last loss. */
function assertLearned(output: string): void {
  const [first, last] = JSON.parse(output.trim().split('\n').at(-1)!) as number[];
  assert.ok(first! > 0.1 && last! < first! / 1000, `${first} to ${last}`);
}

test.run();
