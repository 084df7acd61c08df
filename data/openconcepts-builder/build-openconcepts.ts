// Builds data/openconcepts/ anew: node data/openconcepts-builder/build-openconcepts.ts [--out data/openconcepts]

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildOpenconcepts } from './openconcepts.ts';

const usual = fileURLToPath(new URL('../openconcepts', import.meta.url));
const { values } = parseArgs({ options: { out: { type: 'string', default: usual } } });
await buildOpenconcepts(values.out);
