// The shipped tiny CLIP: Hugging Face's code was run on it once and what it gave is the case
// `tiny-clip-hf`, which `npm run verify` holds the encoders against. Here: that the case is about these
// weights and this vocabulary.

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadTokenizer } from '../../data/text/tokenizer-files.ts';
import { readClipConfig } from '../../model/clip/clip-config.ts';
import { openSafetensors } from '../../weights/safetensors.ts';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const folder = at('weights/tiny-clip');
const reference = at('tests/cases/tiny-clip-hf');

test('the case is about the shipped weights, which are float16 and less than 12 MB with their vocabulary', async () => {
  const file = join(folder, 'model.safetensors');
  const { parameters } = JSON.parse(readFileSync(join(reference, 'case.json'), 'utf8'));
  assert.is(join(reference, parameters.file), file);
  assert.is(parameters.sha256, createHash('sha256').update(readFileSync(file)).digest('hex'));
  const files = ['model.safetensors', 'config.json', 'vocab.json', 'merges.txt'];
  assert.ok(files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0) <= 12e6);
  const shipped = await openSafetensors(file);
  for (const name of shipped.names) assert.is(shipped.info(name).dtype, 'F16');
  await shipped.close();
});

test("the vocabulary gives Hugging Face's token ids", async () => {
  const { config, eosId } = await readClipConfig(join(folder, 'config.json'));
  const tokenizer = await loadTokenizer(folder);
  assert.is(tokenizer.vocabularySize, config.text.vocabulary);
  assert.is(tokenizer.eosId, eosId);
  const { texts } = JSON.parse(readFileSync(join(reference, 'case.json'), 'utf8')).config;
  const { ids, mask } = tokenizer.encodeBatch(texts, config.text.maxLength);
  const expected = await openSafetensors(join(reference, 'tensors.safetensors'));
  assert.equal([...ids], [...(await expected.readIntegers('input/ids'))]);
  assert.equal([...mask], [...(await expected.readIntegers('input/mask'))]);
  await expected.close();
  tokenizer.free();
});

test.run();
