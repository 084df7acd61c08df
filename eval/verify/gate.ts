// Kind `gate`: the gate on features, noise and scores that are given.

import { mul } from '../../engine/ops/elementwise.ts';
import { sum } from '../../engine/ops/reduce.ts';
import { argmax } from '../../engine/ops/top-k.ts';
import { drawExperts } from '../../model/dsmip/dsmip.ts';
import { Gate, type GateConfig } from '../../model/dsmip/gating/gate.ts';
import type { CaseConfig } from './case.ts';
import { input, type Kind, probe, readResults } from './kind.ts';

export const gate: Kind = (context) =>
  context.device.scope(() => {
    const { config, parameters } = context;
    const [mention, entity] = [input(context, 'mention'), input(context, 'entity')];
    const pi = new Gate(parameters, gateConfig(config), mention.shape[1]!).probabilities(mention, entity);
    const z = drawExperts(pi, input(context, 'noise'), selectionConfig(config));
    const selected = sum(mul(z, input(context, 'scores')), -1);
    return readResults({ pi, choice: argmax(z), selected, loss: probe(selected) });
  });

/** The gate that a case's config describes. */
export function gateConfig(config: CaseConfig): GateConfig {
  return { hidden: config.number('gate_hidden'), experts: config.number('experts') };
}

export function selectionConfig(config: CaseConfig): { tau: number; eps: number } {
  return { tau: config.number('tau'), eps: config.number('eps') };
}
