// Links mentions with a run from an address. The test beside it runs this in Node from the sources and in a browser from a
// bundle of the installed package, and compares the answers.

import { openLinker } from '../../link/index.ts';

/** The best entities of two mentions, the first with a picture. `where`: the address of a folder with run, clip and picture. */
export async function run(where: string): Promise<{ qid: string; name: string; score: number }[][]> {
  const folder = 'location' in globalThis ? new URL(where, location.href).href : where;
  const linker = await openLinker({ run: `${folder}/run`, clip: `${folder}/clip` });
  const picture = await (await fetch(`${folder}/picture.jpg`)).blob();
  const found = await linker.link(
    [
      { word: 'seal', sentence: 'the animal with fur ran away', image: picture },
      { word: 'crane', sentence: 'a machine made of steel' },
    ],
    { top: 16 },
  );
  await linker.close();
  return found.map((entities) => entities.map(({ qid, name, score }) => ({ qid, name, score })));
}
