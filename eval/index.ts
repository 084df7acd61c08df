// Builds the entity index of a run, RUN/index: what scoring needs of each entity, so that linking and evaluation need not
// encode the knowledge base again.   node eval/index.ts --run runs/default [--dtype float32] [--help]
// A build that was interrupted goes on where it was.

import { profileTable } from '../engine/device/profiler.ts';
import { openDevice } from '../engine/device.ts';
import { buildRunIndex, indexFolder } from '../link/entity-index.ts';
import { loadLinkingModel } from '../link/linking-model.ts';
import { openSession } from '../link/session.ts';
import { type IndexDtype, indexDtypes } from '../ranking/index/format.ts';
import { isBadInput } from '../train/bad-input.ts';
import { count, oneOf, parseFlags, reportError } from '../train/flags.ts';
import { presetOf } from '../train/presets.ts';
import { type CommonOptions, commonFlags } from '../train/run-flags.ts';
import { partProgress } from './part-progress.ts';

try {
  const args = process.argv.slice(2);
  const { name, preset } = presetOf(args);
  const flags = {
    ...commonFlags(name, preset),
    dtype: oneOf(
      indexDtypes,
      'int8' as IndexDtype,
      "how vectors are stored; int8: the texts' queries only, the rest in float16",
    ),
    shard: count(4096, 'entities a file', 1),
  };
  const options = parseFlags('usage: node eval/index.ts [flags]', flags, args);
  if (options) await main(options);
} catch (error) {
  reportError(error, isBadInput);
}

async function main(options: CommonOptions & { dtype: IndexDtype; shard: number }): Promise<void> {
  const device = await openDevice({ profile: options.profile });
  const session = await openSession(device, options);
  console.log(`${device.description}\n${session.description}`);
  const model = await loadLinkingModel(session, options.run);
  const start = performance.now();
  const { dtype, shard } = options;
  const progress = partProgress('indexing');
  const { head, kept } = await buildRunIndex(session, options.run, model, {
    dtype,
    shard,
    onProgress: ({ done, total }) => progress(done / total!),
    onWarning: (line) => console.error(line),
  });
  if (options.profile) console.log(profileTable(await device.profile()));
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `wrote ${indexFolder(options.run)}: ${head.entities} entities, ${head.scorer}, ${dtype}, ` +
      `${head.bytesPerEntity} bytes an entity, ${seconds} s` +
      (kept > 0 ? `; ${kept} of ${head.shards.length} shards were there already` : ''),
  );
  device.destroy();
}
