// Makes the modules that the engine imports from the kernels: one for each folder of .wgsl files, with every kernel's text
// and what it declares, so that the type checker knows each entry point, buffer, parameter and constant. They are JavaScript
// with types in comments: stripping types from so much text would cost Node 40 ms at every start.

import { readdir, readFile } from 'node:fs/promises';
import { type Kernel, neededParts, readKernel, withoutComments } from './read-kernel.ts';

const root = new URL('./', import.meta.url);
/** The folder of what is made. */
export const generated = new URL('generated/', root);

interface WgslFile {
  folder: string;
  text: string;
}

/** The contents of generated/ by file name. */
export async function generate(): Promise<Map<string, string>> {
  const files = await wgslFiles();
  const folders = new Map<string, string[]>();
  const parts = new Set([...files.values()].flatMap(({ text }) => neededParts(text)));
  for (const [name, { folder }] of files) {
    if (parts.has(name)) continue;
    const kernel = readKernel(name, wholeText(name, files));
    folders.set(folder, [...(folders.get(folder) ?? []), literal(name, kernel)]);
  }
  const output = new Map<string, string>();
  for (const [folder, kernels] of folders) {
    const object = `/** @type {const} */ ({\n${kernels.join('')}})`;
    output.set(
      `${folder}.js`,
      `${head(`shaders/${folder}`)}export const ${identifier(folder)} = ${object};\n`,
    );
  }
  const imports = [...folders.keys()]
    .map((folder) => `import { ${identifier(folder)} } from './${folder}.js';\n`)
    .join('');
  const spread = [...folders.keys()].map((folder) => `  ...${identifier(folder)},\n`).join('');
  output.set('index.js', `${head('shaders/')}${imports}\nexport const kernels = {\n${spread}};\n`);
  return output;
}

/** Names of the generated files that are not what `generate` makes now. */
export async function outdated(): Promise<string[]> {
  const made = await generate();
  const present = await readdir(generated).catch(() => []);
  const names = new Set([...made.keys(), ...present]);
  const differ = [...names].map(async (name) => {
    const text = await readFile(new URL(name, generated), 'utf8').catch(() => null);
    return text === made.get(name) ? [] : [name];
  });
  return (await Promise.all(differ)).flat();
}

/** All .wgsl files by name without extension, in order. Throws Error where two folders have one of the same name. */
async function wgslFiles(): Promise<Map<string, WgslFile>> {
  const paths = (await readdir(root, { recursive: true }))
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.wgsl'))
    .sort();
  const files = new Map<string, WgslFile>();
  for (const path of paths) {
    const [folder, name] = path.slice(0, -'.wgsl'.length).split('/') as [string, string];
    if (files.has(name)) throw new Error(`two kernels are named ${name}.wgsl`);
    files.set(name, { folder, text: await readFile(new URL(path, root), 'utf8') });
  }
  return files;
}

/** A kernel's text with all parts that it needs, each once; WGSL takes declarations in any order. */
function wholeText(name: string, files: ReadonlyMap<string, WgslFile>): string {
  const names = new Set([name]);
  for (const needing of names) {
    for (const part of neededParts(files.get(needing)!.text)) {
      if (!files.has(part)) throw new Error(`${needing}.wgsl needs ${part}.wgsl, which is nowhere`);
      names.add(part);
    }
  }
  return [...names].map((each) => withoutComments(files.get(each)!.text)).join('\n');
}

/** A folder's name as a variable's. */
function identifier(folder: string): string {
  return folder.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function head(source: string): string {
  return `// Made by \`node shaders/generate.ts\` from ${source}; do not edit.\n\n`;
}

/** A kernel as a property of an object literal; the type checker sees of its text only that it is a string. */
function literal(name: string, { code, entries, buffers, params, constants }: Kernel): string {
  const fields = Object.entries({ entries, buffers, params, constants }).map(
    ([field, value]) => `    ${field}: ${JSON.stringify(value)},\n`,
  );
  return `  '${name}': {\n    code: /** @type {string} */ (${JSON.stringify(code)}),\n${fields.join('')}  },\n`;
}
