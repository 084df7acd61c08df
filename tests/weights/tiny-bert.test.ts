// The shipped tiny BERT: Hugging Face's code was run on it once and what it gave is the case `tiny-bert-hf`, which
// `npm run verify` holds the encoder against. Here: that the case is about these weights and this vocabulary.

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { packPair } from '../../data/text/wordpiece/packing.ts';
import { loadWordPiece } from '../../data/text/wordpiece/wordpiece-files.ts';
import { reservedTokens } from '../../data/text/wordpiece/wordpiece-trainer.ts';
import { readBertConfig } from '../../model/bert/bert-config.ts';
import { openSafetensors } from '../../weights/safetensors.ts';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const folder = at('weights/tiny-bert');
const reference = at('tests/cases/tiny-bert-hf');
const about = JSON.parse(readFileSync(join(reference, 'case.json'), 'utf8'));

test('the case is about the shipped weights, which are float16 and less than 1 MB with their vocabulary', async () => {
  const file = join(folder, 'model.safetensors');
  assert.is(join(reference, about.parameters.file), file);
  assert.is(about.parameters.sha256, createHash('sha256').update(readFileSync(file)).digest('hex'));
  const files = ['model.safetensors', 'config.json', 'vocab.txt'];
  assert.ok(files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0) < 1e6);
  const shipped = await openSafetensors(file);
  for (const name of shipped.names) assert.is(shipped.info(name).dtype, 'F16');
  await shipped.close();
});

test("the vocabulary has bert-base-uncased's special tokens and gives Hugging Face's ids", async () => {
  const { vocabulary, maxLength } = await readBertConfig(join(folder, 'config.json'));
  const tokenizer = await loadWordPiece(folder);
  assert.is(tokenizer.tokens.length, vocabulary);
  assert.equal(tokenizer.tokens.slice(0, reservedTokens.length), reservedTokens);
  const expected = await openSafetensors(join(reference, 'tensors.safetensors'));
  const [count, length] = expected.info('input/ids').shape as [number, number];
  const [ids, types] = [await expected.readIntegers('input/ids'), await expected.readIntegers('input/types')];
  await expected.close();
  assert.is(about.config.pairs.length, count);
  for (const [i, [first, second]] of (about.config.pairs as [string, string][]).entries()) {
    const packed = packPair(tokenizer, tokenizer.encode(first), tokenizer.encode(second), maxLength);
    const padding = new Array<number>(length - packed.ids.length).fill(0);
    assert.equal([...packed.ids, ...padding], [...ids.subarray(i * length, (i + 1) * length)]);
    assert.equal([...packed.types, ...padding], [...types.subarray(i * length, (i + 1) * length)]);
  }
});

test.run();
