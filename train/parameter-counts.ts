// How many parameters stage 1 trains, counted from the modules (no weights needed, only config.json).

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { countParameters, promptSpecs, scoringSpecs } from '../model/initialise.ts';
import { clipTensors } from '../model/initialise-clip.ts';
import { parseClipConfig, readClipConfig } from '../weights/clip-config.ts';
import type { ExpertOptions } from './run-flags.ts';

/**
 * Lines for --print-parameters. A preset of the paper whose CLIP is not there yet counts ViT-B/32, which is what an empty
 * config.json means.
 */
export async function parameterLines(options: ExpertOptions): Promise<string[]> {
  const path = join(options.clip, 'config.json');
  const isPaper = options.preset !== 'openconcepts' && !existsSync(path);
  const { config: clip } = isPaper ? parseClipConfig('config.json', '{}') : await readClipConfig(path);
  const finetune = options['finetune-encoder'];
  const depth = options['no-prompts'] || finetune ? 0 : options['prompt-depth'];
  const config = { clip, hidden: options.hidden, prompts: { length: options['prompt-length'], depth } };
  const parts: [string, number][] = [
    [
      'encoders',
      finetune ? countParameters(new Map(clipTensors(clip).map(({ name, ...spec }) => [name, spec]))) : 0,
    ],
    ['prompts and coupling', options.expert === 'multimodal' ? countParameters(promptSpecs(config)) : 0],
    ['scoring', countParameters(scoringSpecs(options.expert, config))],
  ];
  const total = parts.reduce((sum, [, count]) => sum + count, 0);
  return [...parts, ['trainable parameters', total] as const].map(
    ([name, count]) => `${name.padEnd(22)}${count.toLocaleString('en-US').padStart(13)}`,
  );
}
