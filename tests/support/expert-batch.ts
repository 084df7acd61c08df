// A made-up batch for an expert, as a plan of its memory describes it.

import { usesOf } from '../../model/dsmip/experts.ts';
import type { StepBatch } from '../../train/batch-inputs.ts';
import type { StepPlan } from '../../train/experts/memory-estimate.ts';
import { generator } from './random.ts';

/**
 * Texts of random tokens, the first of each side of full length; an image of noise for each, where `shared` says so the
 * first one also for the second sample.
 */
export function madeUpBatch({ kind, config, samples, tokens }: StepPlan, shared = false): StepBatch {
  const next = generator(1);
  const { vocabulary } = config.clip.text;
  const side = (name: 'mention' | 'entity') => {
    const [count, length] = [samples[name], tokens[name]];
    const lengths = Array.from({ length: count }, (_, i) =>
      i === 0 ? length : 2 + Math.floor(next() * (length - 1)),
    );
    const mask = Int32Array.from({ length: count * length }, (_, i) =>
      i % length < lengths[Math.floor(i / length)]! ? 1 : 0,
    );
    const ids = mask.map((real) => (real ? Math.floor(next() * vocabulary) : 0));
    const images = shared ? count - 1 : count;
    const numbers = images * 3 * config.clip.vision.imageSize ** 2;
    const noise = () => Float32Array.from({ length: numbers }, () => 2 * next() - 1);
    const pixels = usesOf(kind).image ? noise() : null;
    const places = Int32Array.from({ length: count }, (_, i) => Math.max(0, shared ? i - 1 : i));
    return { texts: { ids, mask, count, length }, pixels, places };
  };
  const entities = Int32Array.from({ length: samples.entity }, (_, i) => (i === 2 ? 0 : i));
  return { mention: side('mention'), entity: side('entity'), entities };
}
