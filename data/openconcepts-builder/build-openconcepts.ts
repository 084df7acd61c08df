// Builds data/openconcepts/ anew: node data/openconcepts-builder/build-openconcepts.ts [--out data/openconcepts]
// `--edition 1 --out FOLDER` makes the first edition, on which figures until November 2026 were measured.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildOpenconcepts } from './openconcepts.ts';

const usual = fileURLToPath(new URL('../openconcepts', import.meta.url));
const { values } = parseArgs({
  options: { out: { type: 'string', default: usual }, edition: { type: 'string', default: '2' } },
});
await buildOpenconcepts(values.out, values.edition === '1' ? 1 : 2);
