// dsmip verify: runs the reference cases found in each DIR and holds every tensor against them. Without DIR:
// ../shared/reference/cases, where that exists, and tests/cases. One line a tensor, with its largest absolute error and the
// same relative to the tensor's largest magnitude; exit code 1 on any failure.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openDevice } from '../../engine/device.ts';
import { kinds } from '../../eval/verify/kinds.ts';
import { verifyFolders } from '../../eval/verify/runner.ts';
import { UsageError } from '../../files/errors.ts';
import { packageRoot } from '../../files/package-path.ts';
import { ExitError } from '../errors.ts';
import { print } from '../output.ts';

export async function run(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) {
    print(
      'Usage: dsmip verify [DIR...]\n\nHolds the engine and the models against the reference cases in each DIR; without DIR against those of the ' +
        'repository.\n\nExample:\n  dsmip verify tests/cases',
    );
    return;
  }
  const flag = args.find((word) => word.startsWith('-'));
  if (flag !== undefined) throw new UsageError(`${flag}: unknown option; usage: dsmip verify [DIR...]`);
  const folders = args.length > 0 ? args : usualFolders();
  const device = await openDevice();
  print(device.description);
  const { passed, failed } = await verifyFolders(device, kinds, folders, print);
  print(`${passed} passed, ${failed} failed`);
  if (failed > 0 || passed === 0) throw new ExitError(1);
}

/** Throws UsageError where the package has no cases of its own. */
function usualFolders(): string[] {
  const own = join(packageRoot(), 'tests/cases');
  if (!existsSync(own))
    throw new UsageError('expected folders of reference cases: only the repository has its own');
  const shared = join(packageRoot(), '../shared/reference/cases');
  return existsSync(shared) ? [shared, own] : [own];
}
