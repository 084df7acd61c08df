// How many parameters stage 1 trains, counted from the modules (no weights needed, only config.json).

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Clip, type ClipConfig } from '../../model/clip/clip.ts';
import { parseClipConfig, readClipConfig } from '../../model/clip/clip-config.ts';
import { expertPrompts, ScoringUnits } from '../../model/dsmip/experts.ts';
import { countParameters, declared } from '../../model/parameter-source.ts';
import { type ExpertOptions, shapeOf } from '../run-flags.ts';

/**
 * The CLIP that the flags name, from its config.json alone. For a preset of the paper whose CLIP is not there yet it is
 * ViT-B/32, which is what an empty config.json means.
 */
export async function clipConfigOf(options: ExpertOptions): Promise<ClipConfig> {
  const path = join(options.clip, 'config.json');
  const isPaper = options.preset !== 'openconcepts' && !existsSync(path);
  const { config } = isPaper ? parseClipConfig('config.json', '{}') : await readClipConfig(path);
  return config;
}

/** Lines for --print-parameters. */
export async function parameterLines(options: ExpertOptions): Promise<string[]> {
  const clip = await clipConfigOf(options);
  const finetune = options['finetune-encoder'];
  const config = { ...shapeOf(options), clip };
  const parts: [string, number][] = [
    ['encoders', finetune ? countParameters(declared((p) => new Clip(p, clip))) : 0],
    ['prompts and coupling', countParameters(declared((p) => expertPrompts(p, options.expert, config)))],
    ['scoring', countParameters(declared((p) => new ScoringUnits(p, options.expert, config)))],
  ];
  const total = parts.reduce((sum, [, count]) => sum + count, 0);
  return [...parts, ['trainable parameters', total] as const].map(
    ([name, count]) => `${name.padEnd(22)}${count.toLocaleString('en-US').padStart(13)}`,
  );
}
