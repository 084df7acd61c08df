// Decoding against what PIL makes of the same files (preprocess-cases/decode.json).

import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeImage } from '../../../data/images/image.ts';
import { imageSize } from '../../../data/images/image-size.ts';

interface Case {
  name: string;
  file: string;
  width: number;
  height: number;
  tolerance: number;
  rgb: string;
}
const { cases } = JSON.parse(
  readFileSync(new URL('./preprocess-cases/decode.json', import.meta.url), 'utf8'),
) as {
  cases: Case[];
};

for (const { name, file, width, height, tolerance, rgb } of cases) {
  test(`${name} within ${tolerance} of PIL`, async () => {
    const image = await decodeImage(bytes(file));
    assert.equal([image.width, image.height], [width, height]);
    assert.equal(imageSize(bytes(file)), { width, height });
    const expected = bytes(rgb);
    assert.is(image.data.length, expected.length);
    const worst = image.data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
    assert.ok(worst <= tolerance, `off by ${worst}`);
  });

  test(`${name}, cut off, is refused`, async () => {
    const whole = bytes(file);
    const cut = whole.subarray(0, Math.floor(whole.length * 0.6));
    assert.ok(await refusal(cut), 'decoded all the same');
  });
}

test('what is no image is refused by its magic bytes', async () => {
  for (const data of [new Uint8Array(0), new TextEncoder().encode('<html>not found</html>')]) {
    assert.is(await refusal(data), 'neither JPEG nor PNG nor WebP');
    assert.throws(() => imageSize(data), 'neither JPEG nor PNG nor WebP');
  }
});

async function refusal(data: Uint8Array): Promise<string | null> {
  try {
    await decodeImage(data);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function bytes(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}

test.run();
