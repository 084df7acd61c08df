// Fetches a model's weights.   node weights/download.ts MODEL [flags], the same as `dsmip download`

import { main } from '../cli/main.ts';

await main(['download', ...process.argv.slice(2)]);
