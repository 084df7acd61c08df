// The baselines by name: how each is built. A new one is a folder beside this file and a line here.

import type { AnyBaseline, BaselineParts } from './baseline.ts';
import { ClipBaseline, type ClipBaselineConfig } from './clip/clip-baseline.ts';

export interface BaselineSystem<Config> {
  /** For tables. */
  title: string;
  /** Its configuration, where nothing else is asked for. */
  config: Config;
  build(parts: BaselineParts, config: Config): AnyBaseline;
}

const clip = (name: string, title: string, training: ClipBaselineConfig['training']) =>
  system<ClipBaselineConfig>(title, { training, cross: false }, (parts, config) => {
    return new ClipBaseline(name, parts, config);
  });

export const baselines = {
  'clip-zero-shot': clip('clip-zero-shot', 'CLIP, zero-shot', 'none'),
  'clip-head': clip('clip-head', 'CLIP, trained head', 'head'),
  clip: clip('clip', 'CLIP, fine-tuned', 'all'),
};

function system<Config>(
  title: string,
  config: Config,
  build: BaselineSystem<Config>['build'],
): BaselineSystem<Config> {
  return { title, config, build };
}
