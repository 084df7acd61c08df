// What a browser loads to read models must not need Node: nothing that load-clip.ts, load-vgg.ts or safetensors.ts imports, at
// whatever depth, imports a module of Node's at its top.

import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

/** Top-level imports of a module's code; types are not loaded. */
const imports = /^(?:import|export)\s+(?!type\b)(?:[^'"]*?from\s+)?['"]([^'"]+)['"]/gm;

test('readers of models import nothing of Node', () => {
  const seen = new Set<string>();
  const open = ['model/clip/load-clip', 'model/vgg/load-vgg', 'weights/safetensors'].map(
    (name) => `${new URL(`../../${name}.ts`, import.meta.url)}`,
  );
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const [, name] of readFileSync(new URL(file), 'utf8').matchAll(imports)) {
      assert.ok(name!.startsWith('.'), `${file} imports ${name}`);
      open.push(`${new URL(name!, file)}`);
    }
  }
  assert.ok(seen.size > 15, `${seen.size} files`);
});

test.run();
