// What a training's batches are encoded from: features that are there already, or token ids and pixels.

import { noImage, pickTexts, type Samples } from '../encoding/samples.ts';
import type { Session } from '../link/session.ts';
import type { TextBatch } from '../model/clip/clip.ts';
import type { Scorer, Side } from '../ranking/scorer.ts';
import type { Batch } from './batches.ts';

/** A batch's mentions or its entities, on the host. */
export interface SideBatch {
  texts: TextBatch;
  /** Each distinct image once, normalised: images x 3 x S x S; null for who looks at none. */
  pixels: Float32Array<ArrayBuffer> | null;
  /** Where each sample's image is among them. */
  places: Int32Array<ArrayBuffer>;
}

export interface StepBatch extends Readonly<Record<Side, SideBatch>> {
  /** Which entity each column of the scores is, by any number. */
  entities: Int32Array<ArrayBuffer>;
}

/** Both sides' features of all that training may ask for, of a system whose encoders stay as they are. */
export async function trainingTables<Inputs>(
  session: Session,
  scorer: Pick<Scorer<Inputs, unknown, unknown>, 'prepare'>,
): Promise<Record<Side, Inputs>> {
  const { mentions, entities } = session.corpus;
  const of = (side: Side, samples: Samples) =>
    scorer.prepare(side, samples, imagesOf(samples), session.features);
  return { mention: await of('mention', mentions.train), entity: await of('entity', entities) };
}

/** All images that a training may draw of samples, that which stands for none among them. */
export function imagesOf({ images }: Samples): number[] {
  return [...new Set([noImage, ...images.flat()])];
}

/** The batches with what encoders take. Pixels are decoded ahead, where there are to be some. */
export async function* batchInputs(
  session: Session,
  batches: readonly Batch[],
  hasPixels: boolean,
): AsyncGenerator<{ batch: Batch; input: StepBatch }> {
  const { mentions, entities } = session.corpus;
  const { source } = session.features;
  const plane = 3 * source.size * source.size;
  const groups = batches.map((batch) => ({
    mention: distinct(batch.mentionImages),
    entity: distinct(batch.entityImages),
  }));
  const decoded = hasPixels
    ? source.groups(groups.map(({ mention, entity }) => [...mention.images, ...entity.images]))
    : null;
  for (const [i, batch] of batches.entries()) {
    const { mention, entity } = groups[i]!;
    const pixels = decoded ? (await decoded.next()).value! : null;
    const split = plane * mention.images.length;
    const input = {
      mention: {
        texts: pickTexts(mentions.train.tokens, batch.mentions),
        pixels: pixels?.subarray(0, split) ?? null,
        places: mention.places,
      },
      entity: {
        texts: pickTexts(entities.tokens, batch.entities),
        pixels: pixels?.subarray(split) ?? null,
        places: entity.places,
      },
      entities: Int32Array.from(batch.entities),
    };
    yield { batch, input };
  }
}

/** The images without repetition, and where each of the list is among them. */
function distinct(list: readonly number[]): { images: number[]; places: Int32Array<ArrayBuffer> } {
  const images = [...new Set(list)];
  return { images, places: Int32Array.from(list, (image) => images.indexOf(image)) };
}
