// Entities that CLIP's text embeddings alone would take for a mention's answer. An addition of ours, off in the paper's
// presets: in-batch negatives are too easy, and homonyms almost never meet in a batch.

import { noGrad } from '../engine/autograd.ts';
import { matmul } from '../engine/ops/matmul.ts';
import { topK } from '../engine/ops/top-k.ts';
import { Random } from '../engine/random.ts';
import type { BatchOptions } from './batches.ts';
import { Expert } from './expert-model.ts';
import type { Run } from './run.ts';

/** Entities to draw from for each mention. */
const mostCandidates = 16;
const chunk = 256;

/** The candidates of the training mentions in `rows`; null when none are asked for. */
export async function hardCandidates(
  run: Run,
  rows: readonly number[],
  count: number,
): Promise<BatchOptions['hard'] | null> {
  if (count === 0) return null;
  const { device, corpus } = run;
  const text = new Expert(
    device,
    'text',
    run.clip,
    { hidden: 1, prompts: { length: 1, depth: 0 } },
    new Random(0),
  );
  const mention = (await text.tables('mention', corpus.mentions.train, [], run.features)).text!;
  const entity = (await text.tables('entity', corpus.entities, [], run.features)).text!;
  const E = corpus.entities.tokens.count;
  const d = entity.projection;
  const k = Math.min(E, mostCandidates + 1);
  const candidates: number[][] = corpus.mentions.train.images.map(() => []);
  const table = device.tensor([E, d], entity.embeds, { name: 'entity embeds' });
  for (let first = 0; first < rows.length; first += chunk) {
    const part = rows.slice(first, first + chunk);
    const embeds = new Float32Array(part.length * d);
    part.forEach((row, i) => {
      embeds.set(mention.embeds.subarray(row * d, (row + 1) * d), i * d);
    });
    const found = await device.scope(() => {
      const similar = noGrad(() =>
        matmul(device.tensor([part.length, d], embeds), table, { transposeB: true }),
      );
      return device.read<'i32'>(topK(similar, k).indices);
    });
    part.forEach((row, i) => {
      const answer = corpus.answers.train[row]!;
      candidates[row] = [...found.subarray(i * k, (i + 1) * k)].filter((entity) => entity !== answer);
    });
  }
  table.release();
  return { candidates, count };
}
