// Made by `node shaders/generate.ts` from shaders/; do not edit.

import { attention } from './attention.js';
import { ceilings } from './ceilings.js';
import { elementwise } from './elementwise.js';
import { images } from './images.js';
import { matmul } from './matmul.js';
import { meanAttention } from './mean-attention.js';
import { optimiser } from './optimiser.js';
import { rows } from './rows.js';
import { scoring } from './scoring.js';
import { sequence } from './sequence.js';
import { storage } from './storage.js';

export const kernels = {
  ...attention,
  ...ceilings,
  ...elementwise,
  ...images,
  ...matmul,
  ...meanAttention,
  ...optimiser,
  ...rows,
  ...scoring,
  ...sequence,
  ...storage,
};
