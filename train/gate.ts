// Stage 2: trains the gate over trained experts.   node train/gate.ts [flags], the same as `dsmip train gate`

import { main } from '../cli/main.ts';

await main(['train', 'gate', ...process.argv.slice(2)]);
