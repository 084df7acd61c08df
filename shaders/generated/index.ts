// Made by `node shaders/generate.ts` from shaders/; do not edit.

import { attention } from './attention.ts';
import { ceilings } from './ceilings.ts';
import { elementwise } from './elementwise.ts';
import { images } from './images.ts';
import { matmul } from './matmul.ts';
import { optimiser } from './optimiser.ts';
import { rows } from './rows.ts';
import { scoring } from './scoring.ts';
import { storage } from './storage.ts';

export const kernels = {
  ...attention,
  ...ceilings,
  ...elementwise,
  ...images,
  ...matmul,
  ...optimiser,
  ...rows,
  ...scoring,
  ...storage,
};
