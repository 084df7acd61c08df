// Ranking of the whole knowledge base by a dense system, by hand and not in `npm test`, in pairs with PyTorch on the same
// cores:
//
//   node bench/peers/dense-ranking.ts [PYTHON]
//
// 256 mentions against 109,976 entities (as many as WikiMEL's), vectors of 768 numbers: the rank of each gold entity and the 20
// best. PYTHON: an interpreter with torch, for which dense_ranking.py beside this file does torch.matmul and topk, without
// ranks, on two threads. Prints milliseconds of the fastest and of the median pass, and the processor time of a pass, which is
// what a busy machine leaves to compare.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Device } from '../../engine/device.ts';
import { openDevice } from '../../engine/device.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { DenseBaseline, type VectorTable } from '../../model/baselines/dense-baseline.ts';
import type { Side } from '../../ranking/scorer.ts';
import { rankMentions } from '../../ranking/scoring-pass.ts';
import { type Prepared, preparedEntities, preparedMentions } from '../../ranking/sources.ts';
import { lineOf, type Timed, timesOf } from './paired.ts';

const size = { mentions: 256, entities: 109_976, width: 768, top: 20, passes: 2 };
/** Rounds of both, in turn. */
const rounds = 3;

/** A system whose vectors are given. */
class TableBaseline extends DenseBaseline<null> {
  readonly groups = { decayed: new Map(), others: new Map() };

  constructor(device: Device) {
    super('table', device, { width: size.width, logitScale: null, margin: null });
  }

  async trainingInputs(): Promise<null> {
    return null;
  }

  encode(): Tensor {
    throw new Error('the vectors are given');
  }
}

const [python] = process.argv.slice(2);
const device = await openDevice();
console.log(device.description);
const system = new TableBaseline(device);
const prepared = { mention: side('mention', size.mentions), entity: side('entity', size.entities) };
const ours: Timed[] = [];
const theirs: Timed[] = [];
for (let round = 0; round < rounds; round++) {
  for (let pass = 0; pass <= size.passes; pass++) {
    const time = await timed();
    if (pass > 0) ours.push(time);
  }
  if (python) theirs.push(...torchPasses(python));
}
console.log(
  `${size.mentions} mentions x ${size.entities} entities, ${size.width} numbers, the ${size.top} best`,
);
console.log(`  ours:    ${lineOf(ours)}`);
if (theirs.length > 0) {
  const [own, torch] = [timesOf(ours), timesOf(theirs)];
  console.log(`  PyTorch: ${lineOf(theirs)}`);
  console.log(`  ours / theirs: ${own.map((time, i) => (time / torch[i]!).toFixed(2)).join(', ')}`);
}
device.destroy();

/** Vectors in [-1, 1) as a system keeps them; mentions' texts are of 10 to 69 tokens. */
function side(name: Side, count: number): Prepared {
  const vectors = new Float32Array(count * size.width);
  let state = name === 'mention' ? 1 : 2;
  for (let i = 0; i < vectors.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    vectors[i] = state / 2 ** 31;
  }
  return {
    lengths: Array.from({ length: count }, (_, i) => 10 + (i % 60)),
    images: new Array<number>(count).fill(0),
    hasNoImage: new Uint8Array(count),
    inputs: new Map([[system, { vectors } satisfies VectorTable]]),
  };
}

async function timed(): Promise<Timed> {
  const start = performance.now();
  const used = process.cpuUsage();
  await rankMentions({
    systems: [system],
    mentions: preparedMentions(prepared.mention),
    entities: preparedEntities(prepared.entity),
    gold: Int32Array.from({ length: size.mentions }, (_, i) => 400 * i),
    top: size.top,
  });
  const { user, system: kernel } = process.cpuUsage(used);
  return [performance.now() - start, (user + kernel) / 1000];
}

function torchPasses(interpreter: string): Timed[] {
  const script = fileURLToPath(new URL('dense_ranking.py', import.meta.url));
  const { stdout, stderr, status } = spawnSync(interpreter, [script, JSON.stringify(size)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Timed[];
}
