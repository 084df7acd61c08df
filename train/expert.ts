// Stage 1: trains one expert alone.   node train/expert.ts [flags], the same as `dsmip train expert`

import { main } from '../cli/main.ts';

await main(['train', 'expert', ...process.argv.slice(2)]);
