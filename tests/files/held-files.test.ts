// Folders at hand by their addresses: read like files on a server, which nobody asks.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MissingFileError, WeightsError } from '../../files/errors.ts';
import { holdFolder } from '../../files/held-files.ts';
import { isThere, openSource, readSmallText } from '../../files/locate.ts';

// Nothing listens there.
const folder = 'http://127.0.0.1:9/model/';
holdFolder(folder, new Map([[`${folder}a/b.json`, new TextEncoder().encode('{"b": 1}')]]));

test('a file at hand is read whole and in ranges', async () => {
  assert.is(await readSmallText(`${folder}a/b.json`, 100), '{"b": 1}');
  const source = await openSource(`${folder}a/b.json`);
  assert.is(source.size, 8);
  assert.equal([...(await source.read(6, 1))], [49]);
  await source.close();
});

test('what the folder does not have is missing, without a request', async () => {
  assert.is(await isThere(`${folder}a/b.json`), true);
  assert.is(await isThere(`${folder}a/c.json`), false);
  for (const read of [() => openSource(`${folder}c`), () => readSmallText(`${folder}c`, 100)]) {
    try {
      await read();
      assert.unreachable();
    } catch (error) {
      assert.instance(error, MissingFileError);
      assert.is((error as Error).message, `${folder}c: no such file`);
    }
  }
});

test('a text at hand has a bound too', async () => {
  try {
    await readSmallText(`${folder}a/b.json`, 7);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, WeightsError);
  }
});

test.run();
