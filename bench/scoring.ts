// Benchmarks of scoring all pairs of a tile: from scoring vectors (pairs-*), and by the units that training uses (units-*),
// which project tokens again for every tile and make arrays of pairs x h. DSMIP's tile is one in which some pairs have
// each of two experts, so that both are asked.

import type { Device } from '../engine/device.ts';
import { Random } from '../engine/random.ts';
import type { Tensor } from '../engine/tensor.ts';
import {
  type EntityOperands,
  entityOperands,
  entityVectors,
  type MentionVectors,
  mentionVectors,
  pairScores,
} from '../model/dsmip/expert-vectors.ts';
import { type ExpertFeatures, type ExpertKind, expertKinds, ScoringUnits } from '../model/dsmip/experts.ts';
import { initialise } from '../model/initialise.ts';
import { FixedShares, MixtureState } from '../ranking/mixed-probabilities.ts';
import { type BlockPairs, blockPairs, pairLists, withAdditions } from '../ranking/pair-lists.ts';
import { RankState } from '../ranking/rank-state.ts';
import { range } from '../ranking/sources.ts';
import { chosenScores } from '../ranking/systems.ts';
import { type Benchmark, benchmark, random } from './benchmark.ts';

/** A tile at the size of the embedded data set and at the paper's. Lengths are the longest; entities' vary. */
const sizes = {
  h32: {
    h: 32,
    textWidth: 64,
    visionWidth: 96,
    projection: 64,
    mentionLength: 24,
    entityLength: 20,
    images: 17,
  },
  h96: {
    h: 96,
    textWidth: 512,
    visionWidth: 768,
    projection: 512,
    mentionLength: 40,
    entityLength: 40,
    images: 52,
  },
};
type Size = (typeof sizes)[keyof typeof sizes];
const [M, E] = [128, 512];

/** Tokens of the entities: from half the longest to the longest. */
function lengthsOf({ entityLength: L }: Size): number[] {
  return Array.from({ length: E }, (_, e) => Math.ceil(L / 2) + ((e * 7) % (Math.floor(L / 2) + 1)));
}

/** Multiply-adds of the products that a pair needs on average, twice: what an expert cannot do without. */
function flopsOf(kind: ExpertKind, size: Size): number {
  const { h, projection, mentionLength: keys } = size;
  const queries = lengthsOf(size).reduce((sum, n) => sum + n, 0) / E;
  const text = queries * keys * h + keys * h + projection;
  const vision = 10 * h;
  const crossed = text + h;
  const pair = {
    text,
    visual: vision,
    multimodal: text + vision + h,
    'text-multimodal': crossed,
    'multimodal-text': crossed,
  }[kind];
  return 2 * M * E * pair;
}

function unitsOf(device: Device, kind: ExpertKind, { h, textWidth, visionWidth, projection }: Size) {
  const stack = { hidden: 1, heads: 1, layers: 1 };
  const clip = {
    text: { ...stack, width: textWidth, vocabulary: 1, maxLength: 1 },
    vision: { ...stack, width: visionWidth, imageSize: 1, patchSize: 1 },
    projection,
  };
  const units = initialise(device, new Random(1), (p) => new ScoringUnits(p, kind, { clip, hidden: h }));
  for (const tensor of units.tensors.values()) tensor.requiresGrad = false;
  return units;
}

function featuresOf(
  device: Device,
  size: Size,
  n: number,
  lengths: readonly number[],
): Required<ExpertFeatures> {
  const L = Math.max(...lengths);
  const mask = Int32Array.from({ length: n * L }, (_, i) => (i % L < lengths[Math.floor(i / L)]! ? 1 : 0));
  return {
    text: {
      embeds: random(device, n, size.projection),
      tokens: random(device, n, L, size.textWidth),
      mask: device.tensor([n, L], mask),
    },
    image: {
      embeds: random(device, n, size.projection),
      tokens: random(device, n, size.images, size.visionWidth),
    },
  };
}

interface Sides {
  mention: MentionVectors;
  entity: EntityOperands;
}

function vectorsOf(device: Device, kind: ExpertKind, size: Size): Sides {
  const { module } = unitsOf(device, kind, size);
  return device.scope(() => {
    const mention = featuresOf(device, size, M, new Array(M).fill(size.mentionLength));
    const { image, text } = featuresOf(device, size, E, lengthsOf(size));
    const offsets = new Int32Array(E + 1);
    lengthsOf(size).forEach((length, e) => {
      offsets[e + 1] = offsets[e]! + length;
    });
    const ragged = { embeds: text.embeds, offsets, tokens: random(device, offsets.at(-1)!, size.textWidth) };
    return {
      mention: mentionVectors(module, mention),
      entity: entityOperands(entityVectors(module, { text: ragged, image })),
    };
  });
}

const pairBenchmarks = Object.entries(sizes).flatMap(([name, size]) =>
  expertKinds.flatMap((kind) => [
    benchmark({
      name: `pairs-${kind}-${name}`,
      bound: 'fma',
      flops: flopsOf(kind, size),
      bytes: 4 * M * E,
      pairs: M * E,
      operands: (device) => vectorsOf(device, kind, size),
      run: ({ mention, entity }) => pairScores(kind, mention, entity),
    }),
    benchmark({
      name: `units-${kind}-${name}`,
      bound: 'fma',
      flops: flopsOf(kind, size),
      bytes: 4 * M * E,
      pairs: M * E,
      operands: (device) => ({
        units: unitsOf(device, kind, size),
        mention: featuresOf(device, size, M, new Array(M).fill(size.mentionLength)),
        entity: featuresOf(device, size, E, lengthsOf(size)),
      }),
      run: ({ units, mention, entity }) => units.module.scores(mention, entity),
    }),
  ]),
);

const dsmipBenchmarks = Object.entries(sizes).map(([name, size]) =>
  benchmark({
    name: `pairs-dsmip-${name}`,
    bound: 'fma',
    flops: flopsOf('text', size) + flopsOf('multimodal', size),
    bytes: 4 * M * E,
    pairs: M * E,
    operands: (device) => ({
      text: vectorsOf(device, 'text', size),
      multimodal: vectorsOf(device, 'multimodal', size),
      u: random(device, M, 2),
      v: random(device, E, 2),
    }),
    run: ({ text, multimodal, u, v }): Tensor =>
      chosenScores(
        u.device.tensor([2, 2], Float32Array.of(1, 1, 0, 0)),
        [
          pairScores('text', text.mention, text.entity),
          pairScores('multimodal', multimodal.mention, multimodal.entity),
        ],
        { u, v, isShared: false },
      ),
  }),
);

/** What a mixture of two experts' probabilities takes beside their scores: both times that entities pass by. */
const mixtureBenchmark = benchmark({
  name: 'mix-probabilities',
  bound: 'copy',
  flops: 0,
  bytes: 4 * M * E * 7,
  pairs: M * E,
  operands: (device) => ({
    scores: [random(device, M, E), random(device, M, E)],
    numbers: device.tensor([E], Int32Array.from(range(0, E))),
    shares: new FixedShares(device, [1, 2]),
  }),
  run: ({ scores, numbers, shares }): Tensor => {
    const state = new MixtureState(shares, new Float32Array(M));
    state.add(scores, numbers);
    state.close();
    return state.scores(scores);
  },
});

/** What names take of a tile: a copy of its scores, and something added to four entities of each mention. */
const additionsBenchmark = benchmark({
  name: 'sparse-pairs',
  bound: 'copy',
  flops: 0,
  bytes: 4 * M * E * 2,
  pairs: M * E,
  operands: (device) => {
    const lists = pairLists(Array.from({ length: M }, (_, m) => [0, 1, 2, 3].map((k) => (m + k * 97) % E)));
    const pairs: BlockPairs = blockPairs(lists, range(0, M), range(0, E));
    return {
      scores: random(device, M, E),
      additions: { ...lists, values: new Float32Array(lists.rows.length).fill(1) },
      pairs,
    };
  },
  run: ({ scores, additions, pairs }): Tensor => withAdditions(scores, additions, pairs),
});

/** The ranks and the 20 best of a block of a dense system's scores, when most of the best have been found. */
const rankBenchmark = benchmark({
  name: 'rank-block',
  bound: 'copy',
  flops: 0,
  bytes: 4 * M * E,
  pairs: M * E,
  operands: (device) => ({
    scores: random(device, M, E),
    numbers: device.tensor([E], Int32Array.from(range(0, E))),
    state: new RankState(device, Int32Array.from(range(0, M)), 20),
  }),
  run: ({ scores, numbers, state }): void => state.add(scores, numbers),
});

export const scoringBenchmarks: Benchmark[] = [
  ...pairBenchmarks,
  ...dsmipBenchmarks,
  mixtureBenchmark,
  additionsBenchmark,
  rankBenchmark,
];
