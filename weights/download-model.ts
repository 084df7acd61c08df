// Fetches the weights of a model from the Hugging Face hub. What an earlier run left is gone on with; what is there and whole
// is left alone.

import { join } from 'node:path';
import { UsageError } from '../files/errors.ts';
import { downloadTo } from './download-file.ts';
import { findOnHub, type HubOptions } from './hub.ts';
import { atRevision, hubModels } from './hub-models.ts';

export interface DownloadOptions extends HubOptions {
  /** Where it goes: a CLIP into a folder of its name below. */
  folder: string;
  /** Branch, commit or refs/pr/N to take model.safetensors from; default: where it is known to be. */
  revision?: string;
  /** Told of each file before its first byte comes. */
  onFile?: (target: string, bytes: number) => void;
  /** Told how many bytes of the file are there. */
  onProgress?: (done: number) => void;
  /** Told of each file that is whole. */
  onDone?: (target: string, outcome: 'there' | 'downloaded') => void;
}

/**
 * Fetches the files of the model that `hubModels` calls `name`, each held against its checksum. Throws UsageError for other
 * names, WeightsError for what the hub or the disk refuses.
 */
export async function downloadModel(name: string, options: DownloadOptions): Promise<void> {
  const { folder, revision, onFile, onProgress, onDone, ...hub } = options;
  const known = Object.hasOwn(hubModels, name) ? hubModels[name]! : null;
  if (known === null) {
    throw new UsageError(`'${name}': expected one of ${Object.keys(hubModels).join(', ')}`);
  }
  const model = revision === undefined ? known : atRevision(known, revision);
  for (const file of model.files) {
    const target = join(folder, model.folder, file.as);
    const remote = await findOnHub(file, hub);
    onFile?.(target, remote.size);
    const outcome = await downloadTo(target, remote, (done) => onProgress?.(done), hub);
    onDone?.(target, outcome);
  }
}
