// The kinds of reference cases that can be computed, by the name in case.json.

import { adam } from './adam.ts';
import { clip, prompts } from './clip.ts';
import type { Kind } from './kind.ts';
import { vgg } from './vgg.ts';

export const kinds: Readonly<Record<string, Kind>> = { adam, clip, prompts, vgg };
