// A toy's run as a browser gets it: trained in Node, with its index.

import * as fs from 'node:fs';
import * as path from 'node:path';
import { openDevice } from '../../engine/device.ts';
import { buildIndex } from '../../eval/build-index.ts';
import { checkConfig } from '../../train/config/check.ts';
import { indexSchema } from '../../train/config/schemas.ts';
import { makeToy, openToy, runFolder, type Toy, trainToy } from '../support/toy-run.ts';

/** A toy's run with its index, and a picture. */
export async function indexedToy(): Promise<Toy> {
  const device = await openDevice();
  const toy = await makeToy(device);
  const session = await openToy(toy, device);
  await trainToy(toy, session, 'run');
  const folders = { data: { folder: toy.data }, clip: { folder: toy.clip } };
  await buildIndex(checkConfig(indexSchema, { ...folders, run: { folder: runFolder(toy, 'run') } }), session);
  session.close();
  device.destroy();
  fs.cpSync(path.join(toy.data, 'mention_image', 'train1.jpg'), path.join(toy.folder, 'picture.jpg'));
  return toy;
}
