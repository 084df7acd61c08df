// Fields that the recipes of pretraining share: numbers with a usual value, and what an optimiser is told.

import * as v from 'valibot';
import { integer, real } from './fields.ts';

/** So many of something, `least` or more. */
export const counted = (usual: number, description: string, unit: string, least = 0) =>
  v.optional(integer(least, { description, unit }), usual);

/** A number from 0 on. */
export const part = (usual: number, description: string, unit?: string) =>
  v.optional(real({ least: 0 }, { description, ...(unit === undefined ? {} : { unit }) }), usual);

/** The optimiser's steps of a phase; `of`: which, where there are several, and then none of them need be taken. */
export const optimiserFields = (
  of: string | null,
  usual: { steps: number; warmup: number; rate: number; decay: number; clip: number },
) => {
  const whose = of === null ? '' : ` of ${of}`;
  return {
    steps: counted(usual.steps, `optimiser steps${whose}`, 'steps', of === null ? 1 : 0),
    warmupSteps: counted(usual.warmup, 'steps in which the learning rate rises', 'steps'),
    learningRate: part(usual.rate, `highest learning rate${whose}`),
    weightDecay: part(usual.decay, 'decoupled, on matrices but for tables'),
    clipNorm: part(usual.clip, 'largest norm of all gradients; 0: any'),
  };
};
