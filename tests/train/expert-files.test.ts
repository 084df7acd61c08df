// What stage 1 finds on disk: damaged caches are made again, checkpoints of other runs are refused, images that cannot be read
// are warned of, damaged weights leave nothing behind.

import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { trainExpert } from '../../train/experts/train-expert.ts';
import { openSafetensors } from '../../weights/safetensors.ts';
import { writeSafetensors } from '../../weights/write-safetensors.ts';
import { device } from '../support/device.ts';
import { bytesOf, makeToy, openToy, refusal, removeToy, runFolder, toyExpert } from '../support/toy-run.ts';

const toy = await makeToy(device);
const session = await openToy(toy, device);
const folderOf = (run: string) => join(runFolder(toy, run), 'text');

test('features from the cache give the same bits as fresh ones, and a damaged cache is made again', async () => {
  await trainExpert(await toyExpert(toy, 'fresh', 'text'), session);
  const cache = join(toy.folder, 'cache');
  for (const file of readdirSync(cache)) {
    const path = join(cache, file);
    const content = readFileSync(path);
    writeFileSync(path, content.subarray(0, content.length / 2));
  }
  for (const run of ['damaged-cache', 'warm-cache']) {
    await trainExpert(await toyExpert(toy, run, 'text'), session);
    const [own, fresh] = [run, 'fresh'].map((name) => bytesOf(folderOf(name), 'best.safetensors'));
    assert.ok(own === fresh, run);
  }
});

test('a checkpoint of another configuration or data set, or a damaged one, is refused in one line', async () => {
  const before = bytesOf(folderOf('fresh'), 'last.safetensors');
  const other = await toyExpert(toy, 'fresh', 'text', { 'expert.hidden': 16 });
  const mismatch = await refusal(() => trainExpert(other, session, { resume: true }));
  assert.match(
    mismatch.message,
    /last\.safetensors: belongs to a run with expert\.hidden 32, this one has 16$/,
  );
  const config = await toyExpert(toy, 'fresh', 'text');
  const elsewhere = await refusal(() => trainExpert(config, { ...session, inputs: 'x' }, { resume: true }));
  assert.match(elsewhere.message, /last\.safetensors: belongs to a run with other inputs than this one has$/);
  assert.is(bytesOf(folderOf('fresh'), 'last.safetensors'), before);

  const last = join(folderOf('fresh'), 'last.safetensors');
  writeFileSync(last, readFileSync(last).subarray(0, 5000));
  const damaged = await refusal(() => trainExpert(config, session, { resume: true }));
  assert.match(damaged.message, /last\.safetensors: /);
});

test('an option that decides nothing refuses no checkpoint; one of another format is one line that says what to do', async () => {
  const config = await toyExpert(toy, 'options', 'text');
  await trainExpert(config, session);
  const last = join(folderOf('options'), 'last.safetensors');
  const rewrite = async (change: (metadata: Record<string, string>) => void) => {
    const file = await openSafetensors(last);
    const metadata = { ...file.metadata };
    change(metadata);
    const tensors = Object.fromEntries(
      await Promise.all(
        file.names.map(async (name) => {
          const { shape } = file.info(name);
          return [name, { dtype: 'F32' as const, shape, data: await file.readFloats(name) }];
        }),
      ),
    );
    await file.close();
    await writeSafetensors(last, tensors, metadata);
  };
  // As written by a version that had no hold-out yet, and another harmless field.
  await rewrite((metadata) => {
    const stored = JSON.parse(metadata['config']!) as { training: Record<string, unknown> };
    delete stored.training['holdOut'];
    stored.training['verbose'] = true;
    metadata['config'] = JSON.stringify(stored);
  });
  const roomy = await toyExpert(toy, 'options', 'text', { 'training.memoryGB': 3 });
  assert.is((await trainExpert(roomy, session, { resume: true })).epoch, 1);
  await rewrite((metadata) => {
    metadata['format'] = '1';
  });
  const old = await refusal(() => trainExpert(config, session, { resume: true }));
  assert.match(old.message, /last\.safetensors: is a checkpoint of format 1, .* train it again/);
});

test('what goes on from a finished training needs its best epoch, and the images that it saw', async () => {
  const config = await toyExpert(toy, 'resumed', 'visual');
  await trainExpert(config, session);
  const best = join(runFolder(toy, 'resumed'), 'visual', 'best.safetensors');
  const before = readFileSync(best);
  const damaged = before.slice();
  damaged[damaged.length - 1]! ^= 1;
  for (const [what, write, message] of [
    ['gone', () => rmSync(best), /best\.safetensors: expected the parameters of epoch 1, found no such file/],
    ['damaged', () => writeFileSync(best, damaged), /best\.safetensors: tensor '.*': damaged/],
  ] as const) {
    write();
    const { message: found } = await refusal(() => trainExpert(config, session, { resume: true }));
    assert.match(found, message, what);
  }
  writeFileSync(best, before);
  const [image] = readdirSync(join(toy.data, 'kb_image')).map((name) => join(toy.data, 'kb_image', name));
  const [content, { atime, mtime }] = [readFileSync(image!), statSync(image!)];
  // Of the same size and with the times of before.
  writeFileSync(image!, Buffer.from(content).reverse());
  utimesSync(image!, atime, mtime);
  const { message } = await refusal(() => trainExpert(config, session, { resume: true }));
  writeFileSync(image!, content);
  assert.match(message, /last\.safetensors: belongs to a run with other images than this one has$/);
  const vocabulary = { ...session, tokenizerHash: 'x' };
  const other = await refusal(() => trainExpert(config, vocabulary, { resume: true }));
  assert.match(other.message, /belongs to a run with other tokenizer than this one has$/);
});

test('an image that cannot be read is warned of, counted and stands for a missing one', async () => {
  const images = join(toy.data, 'kb_image');
  const [first, second] = readdirSync(images).map((name) => join(images, name)) as [string, string];
  const before = [readFileSync(first), readFileSync(second)] as const;
  writeFileSync(first, 'not a picture');
  writeFileSync(second, before[1].subarray(0, 30));
  const fresh = await openToy(toy, device);
  const warnings: string[] = [];
  const onWarning = (line: string) => warnings.push(line);
  const { epoch } = await trainExpert(await toyExpert(toy, 'images', 'visual'), fresh, { onWarning });
  writeFileSync(first, before[0]);
  writeFileSync(second, before[1]);
  assert.is(epoch, 1);
  assert.match(warnings.join('\n'), /: 2 image files unreadable, zeros in their place/);
  fresh.close();
});

test('damaged weights of CLIP are one line', async () => {
  const path = join(toy.clip, 'model.safetensors');
  const before = readFileSync(path);
  writeFileSync(path, before.subarray(0, before.length - 7));
  const { message } = await refusal(() => openToy(toy, device));
  writeFileSync(path, before);
  assert.match(message, /^[^\n]*model\.safetensors: [^\n]*$/);
  assert.not.ok(existsSync(runFolder(toy, 'damaged')));
});

test.after(() => {
  session.close();
  removeToy(toy);
});

test.run();
