// Kind `dsmip`: stage 2, from tokens and pixels through three experts and the gate to the contrastive loss.

import { argmax } from '../../engine/ops/top-k.ts';
import { ClipTextEncoder } from '../../model/clip/clip.ts';
import { drawExperts, selectedScores } from '../../model/dsmip/dsmip.ts';
import { expertKinds } from '../../model/dsmip/experts.ts';
import { Gate, gateFeatures } from '../../model/dsmip/gating/gate.ts';
import { contrastiveLoss } from '../../model/loss.ts';
import { Vgg } from '../../model/vgg/vgg.ts';
import { clipConfig } from './clip.ts';
import { expertInput, scoresOf } from './expert.ts';
import { gateConfig, selectionConfig } from './gate.ts';
import { input, integers, type Kind, readResults } from './kind.ts';
import { vggConfig } from './vgg.ts';

export const dsmip: Kind = (context) =>
  context.device.scope(() => {
    const { config, parameters: p } = context;
    const { tokenTable } = new ClipTextEncoder(p, clipConfig(config));
    const vgg = new Vgg(p, vggConfig(config));
    const expertScores = expertKinds.map((kind) => scoresOf(kind, context, p.under(`experts.${kind}`)));
    const [mention, entity] = (['mention', 'entity'] as const).map((side) => {
      const { texts, pixels } = expertInput(context, side);
      return gateFeatures(tokenTable, texts, vgg.encode(pixels));
    });
    const pi = new Gate(p, gateConfig(config), mention!.shape[1]!).probabilities(mention!, entity!);
    const z = drawExperts(pi, input(context, 'noise'), selectionConfig(config));
    const scores = selectedScores(z, expertScores);
    const named = expertKinds.map((kind, i) => [`${kind}_scores`, expertScores[i]!] as const);
    return readResults({
      ...Object.fromEntries(named),
      pi,
      choice: argmax(z),
      scores,
      loss: contrastiveLoss(scores, integers(context, 'entity').data),
    });
  });
