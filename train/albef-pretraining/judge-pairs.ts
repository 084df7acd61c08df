// How well images find the text of their entity by ALBEF's contrastive halves, among the texts of all entities with images.

import { noGrad } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import { l2Normalize } from '../../engine/ops/l2-normalize.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { concat } from '../../engine/ops/shape.ts';
import type { Albef } from '../../model/albef/albef.ts';
import { firstTokens } from '../../model/bert/bert.ts';
import { encodeByLength, type PackedText } from '../../model/bert/packed-texts.ts';
import { type Metrics, metricsOf } from '../../ranking/metrics.ts';
import { type Picture, pixelsOf } from '../clip-pretraining/image/pictures.ts';

/** Images that are encoded at a time. */
const chunkImages = 128;

/** `texts`: by entity; every picture's entity has one. */
export async function judgePairs(
  device: Device,
  albef: Albef,
  texts: ReadonlyMap<number, PackedText>,
  pictures: readonly Picture[],
): Promise<Metrics> {
  const { maxLength } = albef.config.text;
  const { imageSize } = albef.config.vision;
  const places = new Map([...texts.keys()].map((entity, place) => [entity, place]));
  const E = texts.size;
  const scores = await device.scope(() =>
    noGrad(() => {
      const textVectors = encodeByLength([...texts.values()], maxLength, (batch) =>
        l2Normalize(albef.textProjection(firstTokens(albef.encodeText(batch).hidden))),
      );
      const imageVectors = [];
      for (let first = 0; first < pictures.length; first += chunkImages) {
        const some = pictures.slice(first, first + chunkImages);
        const vectors = device.scope(() => {
          const pixels = device.tensor([some.length, 3, imageSize, imageSize], pixelsOf(some));
          return l2Normalize(albef.visionProjection(firstTokens(albef.encodeImage(pixels))));
        });
        imageVectors.push(vectors);
      }
      return device.read<'f32'>(matmul(concat(imageVectors, 0), textVectors, { transposeB: true }));
    }),
  );
  const ranks = pictures.map(({ entity }, i) => {
    const row = scores.subarray(i * E, (i + 1) * E);
    const right = row[places.get(entity)!]!;
    const [higher, equal] = [
      row.filter((score) => score > right).length,
      row.filter((s) => s === right).length,
    ];
    return 1 + higher + (equal - 1) / 2;
  });
  return metricsOf(ranks);
}
