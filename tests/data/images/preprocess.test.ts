// CLIP's, ALBEF's and VGG's preprocessing against what Hugging Face and torchvision give (preprocess-cases/resize.json).

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { RgbImage } from '../../../data/images/image.ts';
import {
  albefPreprocessing,
  clipPreprocessing,
  preprocess,
  resize,
  vggPreprocessing,
} from '../../../data/images/preprocess.ts';

interface Case {
  width: number;
  height: number;
  clip64: string;
  clip224: string;
  albef64: string;
  albef256: string;
  vgg: string;
}
const { cases } = JSON.parse(
  readFileSync(new URL('./preprocess-cases/resize.json', import.meta.url), 'utf8'),
);

const recipes = {
  clip64: clipPreprocessing(64),
  clip224: clipPreprocessing(224),
  albef64: albefPreprocessing(64),
  albef256: albefPreprocessing(256),
  vgg: vggPreprocessing,
};

for (const [name, how] of Object.entries(recipes)) {
  test(`${name} equals the reference bit for bit, at every size`, () => {
    for (const expected of cases as Case[]) {
      const out = new Float32Array(3 * how.crop ** 2);
      preprocess(picture(expected.width, expected.height), how, out);
      const found = createHash('sha256').update(new Uint8Array(out.buffer)).digest('hex');
      assert.is(found, expected[name as keyof Case], `${expected.width} x ${expected.height}`);
    }
  });
}

test('resizing to the same size changes nothing', () => {
  const image = picture(31, 17);
  assert.equal(resize(image, 31, 17, 'bicubic').data, image.data);
});

test('an output of the wrong length is refused', () => {
  assert.throws(() => preprocess(picture(4, 4), clipPreprocessing(8), new Float32Array(7)), /expected 192/);
});

function picture(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let c = 0; c < 3; c += 1) {
        data[3 * (y * width + x) + c] = (3 * x * x + 7 * x * y + 5 * y * y + 91 * c) & 255;
      }
    }
  }
  return { width, height, data };
}

test.run();
