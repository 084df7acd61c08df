// What of a run, its index and its CLIP linking reads, as files of a site: nothing of trainings, and no path of the machine.

import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { fileError, UsageError } from '../../files/errors.ts';
import { checkedJson } from '../../files/json/checked-json.ts';
import { isThere, isUrl, locate } from '../../files/locate.ts';
import { isInPackage } from '../../files/package-path.ts';
import { calibrationName } from '../../link/calibration.ts';
import type { LinkerPlaces } from '../../link/index-folder.ts';
import { bestFile } from '../../link/trained.ts';
import { trainedGateShape } from '../../link/trained-shapes.ts';
import { readAbout } from '../../model/checkpoint.ts';
import { allExpertKinds } from '../../model/dsmip/experts.ts';
import { headName } from '../../ranking/index/format.ts';
import { siteFolders } from '../page/site.ts';

/** A file of the site: where it lies in it, and its bytes, packed. */
export interface PackedFile {
  path: string;
  bytes: number;
  packed: Uint8Array;
}

const clipFiles = ['config.json', 'model.safetensors', 'vocab.json', 'merges.txt'];

/**
 * Reads and packs the files that a linker reads which is opened with these places. Throws UsageError for a system that a
 * page cannot open, InputError for files that cannot be read.
 */
export async function linkingFiles(
  { index, run, clip, head }: LinkerPlaces,
  system: string,
): Promise<PackedFile[]> {
  if ([index, clip, run ?? ''].some(isUrl))
    throw new UsageError('a site is made of folders, not of addresses');
  const files: [path: string, bytes: Uint8Array][] = [];
  const take = async (from: string, to: string) => {
    files.push([to, await readFile(from).catch((error) => Promise.reject(fileError(from, error)))]);
  };
  for (const name of clipFiles) await take(locate(clip, name), `${siteFolders.clip}/${name}`);
  if (run !== null) {
    for (const name of await trainedParts(run, system)) {
      await take(bestFile(run, name), `${siteFolders.run}/${name}/best.safetensors`);
    }
  }
  const [folder, to] = run === null ? [clip, siteFolders.clip] : [run, siteFolders.run];
  const calibration = locate(folder, calibrationName);
  if (await isThere(calibration)) await take(calibration, `${to}/${calibrationName}`);
  const own = { ...head, origin: { ...shippedPlaces(head.origin), system } };
  files.push([`${siteFolders.index}/${headName}`, new TextEncoder().encode(checkedJson(own))]);
  const names = [...head.shards.map(({ file }) => file), head.records ?? ''];
  for (const name of names.filter((name) => name !== '')) {
    await take(locate(index, name), `${siteFolders.index}/${name}`);
  }
  return Promise.all(
    files.map(async ([path, bytes]) => ({ path, bytes: bytes.length, packed: await pack(bytes) })),
  );
}

/** Places that are the same on every machine; others are nobody's business. */
function shippedPlaces(origin: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(origin).filter(([, place]) => isInPackage(place)));
}

/** The trainings of a run that a system stands on. */
async function trainedParts(run: string, system: string): Promise<string[]> {
  if ((allExpertKinds as readonly string[]).includes(system)) return [system];
  if (system !== 'dsmip')
    throw new UsageError(`${system}: a page links by dsmip, by an expert or without any training`);
  const file = bestFile(run, 'gate');
  const { experts } = trainedGateShape(file, (await readAbout(file)).config);
  return ['gate', ...experts];
}

function pack(bytes: Uint8Array): Promise<Uint8Array> {
  return promisify(gzip)(bytes, { level: 9 });
}
