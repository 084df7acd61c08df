// What each expert by itself thinks of the entities that a system found: a pass of the experts through these pairs alone.

import { noGrad } from '../engine/autograd.ts';
import type { Device } from '../engine/device.ts';
import type { AnyGate, Mixture } from '../ranking/mixture.ts';
import { listOf, pairLists } from '../ranking/pair-lists.ts';
import { rankMentions } from '../ranking/scoring-pass.ts';
import type { EntitySource, MentionSource } from '../ranking/sources.ts';

/**
 * By mention and by found entity, the score of each expert by its name. Where a gate picks, scores are on the scale on which
 * it compares them: the picked expert's is the system's score.
 */
export async function expertScores(
  { device, parts, gate }: Mixture,
  mentions: MentionSource,
  entities: EntitySource,
  found: readonly (readonly { entity: number }[])[],
): Promise<Record<string, number>[][]> {
  const pairs = pairLists(found.map((own) => own.map(({ entity }) => entity)));
  const { wanted } = await rankMentions({
    systems: parts,
    mentions,
    entities,
    candidates: pairs,
    wanted: pairs,
  });
  const scales = gate && (await readCalibration(device, gate));
  return found.map((own, mention) =>
    own.map(({ entity }) => {
      const at = pairs.offsets[mention]! + listOf(pairs, mention).indexOf(entity);
      const scores = parts.map(({ name }, i) => {
        const score = wanted[name]![at]!;
        return [name, scales ? score * scales[i]! + scales[parts.length + i]! : score];
      });
      return Object.fromEntries(scores);
    }),
  );
}

/** The gate's scales of its parts, then their offsets. */
async function readCalibration(device: Device, gate: AnyGate): Promise<Float32Array> {
  const calibration = device.scope(() => noGrad(() => gate.calibration()));
  return device.read<'f32'>(calibration).finally(() => calibration.release());
}
