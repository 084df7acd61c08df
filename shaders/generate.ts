// `node shaders/generate.ts` writes generated/ anew, to be run after a kernel was changed; a test fails where it was not.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { generate, generated } from './kernel-modules.ts';

const modules = await generate();
await rm(generated, { recursive: true, force: true });
await mkdir(generated);
for (const [name, text] of modules) await writeFile(new URL(name, generated), text);
