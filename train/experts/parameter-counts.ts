// How many parameters stage 1 trains, counted from the modules (no weights needed, only config.json).

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expertShape } from '../../link/trained-shapes.ts';
import { Clip, type ClipConfig } from '../../model/clip/clip.ts';
import { parseClipConfig, readClipConfig } from '../../model/clip/clip-config.ts';
import { expertPrompts, ScoringUnits } from '../../model/dsmip/experts.ts';
import { countParameters, declared } from '../../model/parameter-source.ts';
import type { ExpertTraining } from '../config/schemas.ts';

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
  const config = { ...expertShape(expert), clip };
  const parts: [string, number][] = [
    ['encoders', finetuneEncoder ? countParameters(declared((p) => new Clip(p, clip))) : 0],
    ['prompts and coupling', countParameters(declared((p) => expertPrompts(p, kind, config)))],
    ['scoring', countParameters(declared((p) => new ScoringUnits(p, kind, config)))],
  ];
  const total = parts.reduce((sum, [, count]) => sum + count, 0);
  return [...parts, ['trainable parameters', total] as const].map(
    ([name, count]) => `${name.padEnd(22)}${count.toLocaleString('en-US').padStart(13)}`,
  );
}
