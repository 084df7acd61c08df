// The batches of stage 1 as what the training loop calls: each makes its loss and gradients on the device.

import { pickTexts } from '../../encoding/samples.ts';
import { backward } from '../../engine/autograd.ts';
import type { Session } from '../../link/session.ts';
import type { Expert, Side, SideTables } from '../../model/dsmip/expert-model.ts';
import { contrastiveLoss } from '../../model/loss.ts';
import type { Batch } from '../batches.ts';
import type { LossGradients } from './encode-in-chunks.ts';
import { lossGradients } from './expert-step.ts';

/** A batch, and what makes its loss and gradients; call it in a scope. */
export interface LossStep {
  batch: Batch;
  make: () => LossGradients;
}

/** Both sides' features of all that training may ask for, of an expert whose encoders stay as they are. */
export async function trainingTables(session: Session, expert: Expert): Promise<Record<Side, SideTables>> {
  const { mentions, entities } = session.corpus;
  const all = (images: readonly (readonly number[])[]) => [...new Set([0, ...images.flat()])];
  const of = (side: Side, samples: typeof entities) =>
    expert.prepare(side, samples, all(samples.images), session.features);
  return { mention: await of('mention', mentions.train), entity: await of('entity', entities) };
}

/** Steps on features that are there already. */
export function* frozenSteps(
  expert: Expert,
  tables: Readonly<Record<Side, SideTables>>,
  batches: readonly Batch[],
): Generator<LossStep> {
  for (const batch of batches) {
    const make = () => {
      const mention = expert.featuresOf(tables.mention, batch.mentions, batch.mentionImages);
      const entity = expert.featuresOf(tables.entity, batch.entities, batch.entityImages);
      const loss = contrastiveLoss(expert.scores(mention, entity), Int32Array.from(batch.entities));
      return { loss, gradients: backward(loss) };
    };
    yield { batch, make };
  }
}

/** Steps through the encoders, `chunk` texts or images at a time (0: all at once). Pixels are decoded ahead. */
export async function* encodingSteps(
  session: Session,
  expert: Expert,
  batches: readonly Batch[],
  chunk: number,
): AsyncGenerator<LossStep> {
  const { mentions, entities } = session.corpus;
  const { source } = session.features;
  const plane = 3 * source.size * source.size;
  const groups = batches.map((batch) => ({
    mention: distinct(batch.mentionImages),
    entity: distinct(batch.entityImages),
  }));
  const decoded =
    expert.kind === 'text'
      ? null
      : source.groups(groups.map(({ mention, entity }) => [...mention.images, ...entity.images]));
  for (const [i, batch] of batches.entries()) {
    const { mention, entity } = groups[i]!;
    const pixels = decoded ? (await decoded.next()).value! : null;
    const split = plane * mention.images.length;
    const make = () =>
      lossGradients(
        expert,
        {
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
        },
        chunk,
      );
    yield { batch, make };
  }
}

/** The images without repetition, and where each of the list is among them. */
function distinct(list: readonly number[]): { images: number[]; places: Int32Array<ArrayBuffer> } {
  const images = [...new Set(list)];
  return { images, places: Int32Array.from(list, (image) => images.indexOf(image)) };
}
