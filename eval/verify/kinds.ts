// The kinds of reference cases that can be computed, by the name in case.json.

import { adam } from './adam.ts';
import { albef } from './baselines/albef.ts';
import { albefPretraining } from './baselines/albef-pretraining.ts';
import { bertBiencoder } from './baselines/bert-biencoder.ts';
import { blinkBiencoder, blinkCrossencoder } from './baselines/blink.ts';
import { clipBaseline } from './baselines/clip-baseline.ts';
import { dzmned } from './baselines/dzmned.ts';
import { ghmfc } from './baselines/ghmfc.ts';
import { jmel } from './baselines/jmel.ts';
import { mimic } from './baselines/mimic.ts';
import { bert } from './bert.ts';
import { clip, prompts } from './clip.ts';
import { dsmip } from './dsmip.ts';
import { expert } from './expert.ts';
import { gate } from './gate.ts';
import type { Kind } from './kind.ts';
import { units } from './units.ts';
import { vgg } from './vgg.ts';
import { wordpiece } from './wordpiece.ts';

export const kinds: Readonly<Record<string, Kind>> = {
  adam,
  albef,
  'albef-pretraining': albefPretraining,
  bert,
  'bert-biencoder': bertBiencoder,
  'blink-biencoder': blinkBiencoder,
  'blink-crossencoder': blinkCrossencoder,
  clip,
  'clip-baseline': clipBaseline,
  dsmip,
  dzmned,
  expert,
  gate,
  ghmfc,
  jmel,
  mimic,
  prompts,
  units,
  vgg,
  wordpiece,
};
