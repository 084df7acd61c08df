// Kind `dsmip`: stage 2, from tokens and pixels through three experts and the gate to the contrastive loss.

import { argmax } from '../../engine/ops/top-k.ts';
import { drawExperts, selectedScores } from '../../model/dsmip/dsmip.ts';
import { expertKinds } from '../../model/dsmip/experts.ts';
import { gateFeatures, gateProbabilities } from '../../model/dsmip/gate.ts';
import { contrastiveLoss } from '../../model/loss.ts';
import { vggFeatures } from '../../model/vgg/vgg.ts';
import { clipConfig } from './clip.ts';
import { expertInput, scoresOf } from './expert.ts';
import { gateConfig, selectionConfig } from './gate.ts';
import { input, integers, type Kind, readResults } from './kind.ts';
import { vggConfig } from './vgg.ts';

export const dsmip: Kind = (context) =>
  context.device.scope(() => {
    const { config, parameters: p } = context;
    const { text } = clipConfig(config);
    const table = p.get('text_model.embeddings.token_embedding.weight', [text.vocabulary, text.width]);
    const expertScores = expertKinds.map((kind) => scoresOf(kind, context, p.under(`experts.${kind}`)));
    const [mention, entity] = (['mention', 'entity'] as const).map((side) => {
      const { texts, pixels } = expertInput(context, side);
      return gateFeatures(table, texts, vggFeatures(p, vggConfig(config), pixels));
    });
    const pi = gateProbabilities(p, gateConfig(config), mention!, entity!);
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
