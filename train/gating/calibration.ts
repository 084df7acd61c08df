// Where the trained scale and offset of each expert's scores begin. The contrastive softmax leaves a constant of an
// expert's scores open and nothing fixes their spread, so that scores of two experts do not compare until they are
// brought to the same mean and deviation. An addition of ours, off in the paper's presets.

import { noGrad } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import type { Dsmip } from '../../model/dsmip/dsmip-model.ts';
import type { Side, SideTables } from '../../model/dsmip/expert-model.ts';
import type { Batch } from '../batches.ts';

/** Batches whose scores are measured. */
const batchesToMeasure = 8;

/**
 * Sets scale and offset so that each expert's scores of some training batches have mean 0 and all the same standard
 * deviation, the mean of theirs. Does nothing for a gate without calibration.
 */
export async function standardise(
  device: Device,
  dsmip: Dsmip,
  tables: readonly Record<Side, SideTables>[],
  batches: readonly Batch[],
): Promise<void> {
  const [scale, offset] = [dsmip.gate.get('calibration.scale'), dsmip.gate.get('calibration.offset')];
  if (!scale || !offset) return;
  const moments = dsmip.experts.map(() => ({ n: 0, sum: 0, squares: 0 }));
  for (const batch of batches.slice(0, batchesToMeasure)) {
    const reads = device.scope(() =>
      noGrad(() => dsmip.expertScores(tables, batch).map((scores) => device.read<'f32'>(scores))),
    );
    for (const [i, read] of reads.entries()) {
      for (const score of await read) {
        moments[i]!.n++;
        moments[i]!.sum += score;
        moments[i]!.squares += score ** 2;
      }
    }
  }
  const means = moments.map(({ n, sum }) => sum / n);
  const deviations = moments.map(({ n, squares }, i) =>
    Math.sqrt(Math.max(squares / n - means[i]! ** 2, 1e-12)),
  );
  const common = deviations.reduce((sum, deviation) => sum + deviation, 0) / deviations.length;
  const scales = deviations.map((deviation) => common / deviation);
  device.write(scale, Float32Array.from(scales));
  device.write(
    offset,
    Float32Array.from(means, (mean, i) => -mean * scales[i]!),
  );
}
