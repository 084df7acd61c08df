// Replaces a folder by files of the next number again and again, until it is killed; says once that it is going.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFolder } from '../../files/folders/staged-folder.ts';

for (let i = 1; ; i++) {
  await replaceFolder(process.argv[2]!, async (stage) => {
    for (const name of ['a', 'b']) writeFileSync(join(stage, name), String(i));
  });
  if (i === 3) console.log('going');
}
