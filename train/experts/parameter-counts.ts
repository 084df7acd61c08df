// How many parameters stage 1 trains, counted from the modules (no weights needed, only config.json).

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ClipConfig } from '../../model/clip/clip.ts';
import { parseClipConfig, readClipConfig } from '../../model/clip/clip-config.ts';
import { clipTensors } from '../../model/clip/initialise-clip.ts';
import { countParameters, promptSpecs, scoringSpecs } from '../../model/initialise.ts';
import type { ExpertTraining } from '../config/schemas.ts';
import { shapeOf } from './memory-estimate.ts';

/**
 * The CLIP in a folder, from its config.json alone. Where `isPaper` says so and the folder has none yet it is ViT-B/32,
 * which is what an empty config.json means.
 */
export async function clipConfigOf(folder: string, isPaper: boolean): Promise<ClipConfig> {
  const path = join(folder, 'config.json');
  const { config } =
    isPaper && !existsSync(path) ? parseClipConfig('config.json', '{}') : await readClipConfig(path);
  return config;
}

/** Lines with the trainable parameters of an expert, by what they belong to. */
export function parameterLines(expert: ExpertTraining['expert'], clip: ClipConfig): string[] {
  const { kind, finetuneEncoder } = expert;
  const config = { ...shapeOf(expert), clip };
  const encoder = new Map(clipTensors(clip).map(({ name, ...spec }) => [name, spec]));
  const parts: [string, number][] = [
    ['encoders', finetuneEncoder ? countParameters(encoder) : 0],
    ['prompts and coupling', kind === 'multimodal' ? countParameters(promptSpecs(config)) : 0],
    ['scoring', countParameters(scoringSpecs(kind, config))],
  ];
  const total = parts.reduce((sum, [, count]) => sum + count, 0);
  return [...parts, ['trainable parameters', total] as const].map(
    ([name, count]) => `${name.padEnd(22)}${count.toLocaleString('en-US').padStart(13)}`,
  );
}
