// `npm run verify [-- DIR...]`: runs the reference cases found in each DIR and holds every tensor against them.
// Without DIR: ../shared/reference/cases, where that exists, and tests/cases. One line a tensor, with its largest
// absolute error and the same relative to the tensor's largest magnitude; exit code 1 on any failure.

import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openDevice } from '../engine/device.ts';
import { kinds } from './verify/kinds.ts';
import { verifyFolders } from './verify/runner.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(folders: string[]): Promise<number> {
  const flag = folders.find((folder) => folder.startsWith('-'));
  if (flag !== undefined) {
    console.error(`${flag}: unknown option; usage: npm run verify [-- DIR...]`);
    return 1;
  }
  const device = await openDevice();
  console.log(device.description);
  const { passed, failed } = await verifyFolders(
    device,
    kinds,
    folders.length > 0 ? folders : defaults(),
    console.log,
  );
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

function defaults(): string[] {
  const folder = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
  const own = folder('../tests/cases');
  const shared = folder('../../shared/reference/cases');
  return fs.existsSync(shared) ? [shared, own] : [own];
}
