// The batches of stage 1 as what the training loop calls: each makes its loss and gradients on the device.

import { backward } from '../../engine/autograd.ts';
import type { Session } from '../../link/session.ts';
import type { Expert, Side, SideTables } from '../../model/dsmip/expert-model.ts';
import { contrastiveLoss } from '../../model/loss.ts';
import { batchInputs } from '../batch-inputs.ts';
import type { Batch } from '../batches.ts';
import type { LossGradients } from './encode-in-chunks.ts';
import { type EncodeOptions, lossGradients } from './expert-step.ts';

/** A batch, and what makes its loss and gradients; call it in a scope. */
export interface LossStep {
  batch: Batch;
  make: () => LossGradients;
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

/** Steps through the encoders. */
export async function* encodingSteps(
  session: Session,
  expert: Expert,
  batches: readonly Batch[],
  options: EncodeOptions,
): AsyncGenerator<LossStep> {
  for await (const { batch, input } of batchInputs(session, batches, expert.kind !== 'text')) {
    yield { batch, make: () => lossGradients(expert, input, options) };
  }
}
