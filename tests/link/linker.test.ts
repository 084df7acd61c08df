// Linking through an index alone, as a program does it: from a run, a knowledge base of one's own, an address.

import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pickTexts, tokenizeTexts } from '../../encoding/samples.ts';
import { noGrad } from '../../engine/autograd.ts';
import { openDevice } from '../../engine/device.ts';
import { buildIndex } from '../../eval/build-index.ts';
import { type Linked, type LinkMention, openLinker } from '../../link/linker.ts';
import { openModelBase, openTokenizer } from '../../link/model-base.ts';
import { loadDsmip } from '../../link/trained.ts';
import type { Expert, Side } from '../../model/dsmip/expert-model.ts';
import { calibrate } from '../../train/calibration/calibrate.ts';
import { checkConfig } from '../../train/config/check.ts';
import { calibrationSchema, indexSchema } from '../../train/config/schemas.ts';
import { trainExpert } from '../../train/experts/train-expert.ts';
import { device } from '../support/device.ts';
import { makeToy, openToy, refusal, removeToy, runFolder, toyExpert, trainToy } from '../support/toy-run.ts';

const toy = await makeToy(device);
const run = runFolder(toy, 'run');
const ownIndex = join(toy.folder, 'my kb é');
const places = { data: { folder: toy.data }, clip: { folder: toy.clip }, run: { folder: run } };
const image = join(toy.folder, 'picture.jpg');

const session = await openToy(toy, device);
await trainToy(toy, session, 'run');
await buildIndex(checkConfig(indexSchema, { ...places, index: { dtype: 'float32' } }), session);
writeFileSync(image, readFileSync(join(toy.data, 'mention_image', 'train1.jpg')));
writeFileSync(
  join(toy.folder, 'kb.jsonl'),
  ['a seal that swims', 'a seal of wax', 'a crane that lifts']
    .map((description, i) => JSON.stringify({ id: `E${i}`, name: description.split(' ')[1], description }))
    .join('\n'),
);
const own = { knowledgeBase: { source: join(toy.folder, 'kb.jsonl') }, out: { folder: ownIndex } };
await buildIndex(checkConfig(indexSchema, { ...places, ...own }), session);
// The same run once more, calibrated.
const named = runFolder(toy, 'named');
cpSync(run, named, { recursive: true });
const calibrationConfig = { ...places, run: { folder: named }, names: { use: true } };
const { calibration } = await calibrate(checkConfig(calibrationSchema, calibrationConfig), session);
session.close();
// From here on there are no data set and no knowledge base.
rmSync(toy.data, { recursive: true });
rmSync(join(toy.folder, 'kb.jsonl'));

const mentions: LinkMention[] = [
  { word: 'mouse', sentence: 'the animal with fur ran away', image },
  { word: 'bat', sentence: 'a machine made of steel' },
  { word: 'seal', sentence: 'the animal swam', image: null },
];
const linker = await openLinker({ run, device });
const qids = (found: Linked[][]) => found.map((entities) => entities.map(({ qid }) => qid));

function assertSame(found: Linked[][], expected: Linked[][]): void {
  assert.equal(qids(found), qids(expected));
  for (const [i, entities] of found.entries()) {
    for (const [j, { score }] of entities.entries()) {
      const other = expected[i]![j]!.score;
      assert.ok(Math.abs(score - other) <= 1e-4 * Math.max(1, Math.abs(other)), `${score} ${other}`);
    }
  }
}

test('a run answers with names and attributes, best first', async () => {
  assert.is(linker.entityCount, 16);
  assert.is(linker.system, 'dsmip');
  const found = await linker.link(mentions, { top: 3 });
  assert.equal(
    found.map(({ length }) => length),
    [3, 3, 3],
  );
  for (const entities of found) {
    for (const { qid, name, attributes, score, expert } of entities) {
      assert.match(qid, /^Q\d+$/);
      assert.match(`${name}: ${attributes}`, /^[a-z]+: (animal fur|machine steel) number \d+$/);
      assert.ok(Number.isFinite(score));
      assert.ok(expert === 'text' || expert === 'multimodal', `${expert}`);
    }
    const scores = entities.map(({ score }) => score);
    assert.equal(
      scores,
      scores.toSorted((a, b) => b - a),
    );
  }
  assert.equal(await linker.link([]), []);
  assert.is((await linker.link(mentions))[0]!.length, 5);
  assert.is((await linker.link(mentions, { top: 1000 }))[0]!.length, 16);
});

test("explained, a score is the chosen expert's and what the name adds", async () => {
  const calibrated = await openLinker({ run: named, device });
  for (const each of [linker, calibrated]) {
    const plain = await each.link(mentions, { top: 4 });
    const found = await each.link(mentions, { top: 4, explain: true });
    assertSame(found, plain);
    assert.is(plain[0]![0]!.explanation, undefined);
    for (const { score, expert, explanation } of found.flat()) {
      const { experts, names } = explanation!;
      assert.equal(Object.keys(experts).sort(), ['multimodal', 'text']);
      assert.not.equal(experts['text'], experts['multimodal']);
      const sum = experts[expert!]! + names;
      assert.ok(Math.abs(score - sum) <= 1e-4 * Math.max(1, Math.abs(score)), `${score} ${sum}`);
    }
    const isNamed = found.flat().some(({ explanation }) => explanation!.names !== 0);
    assert.is(isNamed, each === calibrated);
  }
  await calibrated.close();
});

test('the attention over the sentence is what the host computes of the texts', async () => {
  const [word, sentence] = ['seal', 'The animal, it swam'];
  const [[found]] = (await linker.link([{ word, sentence }], { top: 1, explain: true })) as [[Linked]];
  const base = await openModelBase({ clip: toy.clip, device });
  const { experts } = (await loadDsmip(base, run))!;
  const tokenizer = await openTokenizer(base.clip);
  const texts = [`${word} : ${sentence}`, `${found.name} : ${found.attributes}`];
  const tokens = tokenizeTexts(tokenizer, texts, base.clip.config.text.maxLength);
  const words: [word: string, first: number, end: number][] = [];
  let first = 1; // after the token of the beginning
  for (const own of [word, ':', 'The', 'animal', ',', 'it', 'swam']) {
    const end = first + tokenizer.encode(own).length;
    words.push([own, first, end]);
    first = end;
  }
  assert.equal(Object.keys(found.explanation!.attention).sort(), ['multimodal', 'text']);
  for (const expert of experts) {
    const [keys, queries] = [
      await tokenRows(expert, 'mention', 'key', 0),
      await tokenRows(expert, 'entity', 'query', 1),
    ];
    const weights = keys.map(() => 0);
    for (const q of queries) {
      const exps = keys.map((k) =>
        Math.exp(k.reduce((sum, value, i) => sum + value * q[i]!, 0) / Math.sqrt(q.length)),
      );
      const sum = exps.reduce((a, b) => a + b);
      for (const [i, value] of exps.entries()) weights[i]! += value / sum / queries.length;
    }
    const weightOf = (own: string) => {
      const [, first, end] = words.find(([name]) => name === own)!;
      return weights.slice(expert.textPrompts + first, expert.textPrompts + end).reduce((a, b) => a + b);
    };
    const { word: ofWord, sentence: ofSentence } = found.explanation!.attention[expert.name]!;
    const close = (value: number, own: string) =>
      assert.ok(Math.abs(value - weightOf(own)) < 1e-5, `${expert.name} ${own}: ${value} ${weightOf(own)}`);
    close(ofWord, word);
    assert.equal(
      ofSentence.map(({ start, end }) => sentence.slice(start, end)),
      ['The', 'animal', 'it', 'swam'],
    );
    for (const { start, end, weight } of ofSentence) close(weight, sentence.slice(start, end));
  }
  tokenizer.free();
  base.close();

  /** What the text unit makes of a text's tokens, in float64: [tokens, h]. */
  async function tokenRows(
    expert: Expert,
    side: Side,
    layer: 'key' | 'query',
    row: number,
  ): Promise<number[][]> {
    const batch = pickTexts(tokens, [row]);
    const prompts = device.scope(() => noGrad(() => expert.encoders.prompts(side)));
    const read = device.scope(() =>
      noGrad(() => device.read<'f32'>(expert.clip.module.text.encode(batch, prompts.text).tokens)),
    );
    const values = await read;
    for (const tensor of prompts.vision) tensor.release();
    const parameter = (name: string) => device.read<'f32'>(expert.trained.get(name)!);
    const [gain, offset] = [
      await parameter('text_token_norm.weight'),
      await parameter('text_token_norm.bias'),
    ];
    const [weight, bias] = [
      await parameter(`text_unit.${layer}.weight`),
      await parameter(`text_unit.${layer}.bias`),
    ];
    const width = gain.length;
    return Array.from({ length: expert.textPrompts + tokens.lengths[row]! }, (_, token) => {
      const x = [...values.subarray(token * width, (token + 1) * width)];
      const mean = x.reduce((a, b) => a + b) / width;
      const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
      const normed = x.map(
        (value, i) => ((value - mean) / Math.sqrt(variance + 1e-5)) * gain[i]! + offset[i]!,
      );
      return Array.from(
        bias,
        (own, j) => own + normed.reduce((sum, value, i) => sum + value * weight[j * width + i]!, 0),
      );
    });
  }
});

test('an image is a path, bytes, a Blob or a URL, all the same', async () => {
  const bytes = readFileSync(image);
  const expected = await linker.link([mentions[0]!]);
  const forms = [
    new Uint8Array(bytes),
    new Blob([new Uint8Array(bytes)]),
    pathToFileURL(image),
    new URL(`data:image/jpeg;base64,${bytes.toString('base64')}`),
  ];
  for (const form of forms) assertSame(await linker.link([{ ...mentions[0]!, image: form }]), expected);
});

test('an image that cannot be read is a warning, and as none', async () => {
  const lines: string[] = [];
  const other = await openLinker({ run, device, onWarning: (line) => lines.push(line) });
  const without = await other.link([{ ...mentions[0]!, image: null }, mentions[1]!]);
  const broken = await other.link([{ ...mentions[0]!, image: new Uint8Array(7) }, mentions[1]!]);
  assertSame(broken, without);
  assert.is(lines.length, 1);
  assert.match(lines[0]!, /^image of 7 bytes: .*linked as if without an image$/);
  await other.link([{ ...mentions[0]!, image: join(toy.folder, 'none.jpg') }]);
  assert.match(lines[1]!, /none\.jpg: no such file/);
  await other.close();
});

test('calls that overlap get the answers that each would get alone', async () => {
  const alone: Linked[][] = [];
  for (const mention of mentions) alone.push((await linker.link([mention]))[0]!);
  const together = await Promise.all(mentions.map((mention) => linker.link([mention])));
  assertSame(together.flat(), alone);
  assertSame(await linker.link(mentions), alone);
});

test('mentions among candidates have together what each has alone', async () => {
  const words = ['mouse', 'bat', 'crane', 'seals', 'mole'];
  const sentences = [
    'it swam',
    'the animal with fur ran away',
    'a machine made of steel and of nothing else at all',
  ];
  const many: LinkMention[] = words.flatMap((word, i) =>
    sentences.map((sentence, j) => ({ word, sentence, image: (i + j) % 3 === 0 ? image : null })),
  );
  const calibrated = await openLinker({ run: named, device });
  for (const each of [linker, calibrated]) {
    for (const candidates of [1, 4, 16]) {
      const together = await each.link(many, { top: 16, candidates });
      const alone: Linked[][] = [];
      for (const mention of many) alone.push(...(await each.link([mention], { top: 16, candidates })));
      assert.equal(qids(together), qids(alone));
      for (const [i, { score, expert }] of together.flat().entries()) {
        const other = alone.flat()[i]!;
        assert.is(expert, other.expert);
        assert.ok(
          Math.abs(score - other.score) <= 1e-5 * Math.max(1, Math.abs(score)),
          `${score} ${other.score}`,
        );
      }
      if (candidates === 16) assertSame(together, await each.link(many, { top: 16 }));
      else assert.ok(together.every(({ length }) => length < 16));
    }
  }
  await calibrated.close();
});

test('as many candidates as entities answer like none; fewer are a part of the answers', async () => {
  const all = await linker.link(mentions, { top: 16 });
  assertSame(await linker.link(mentions, { top: 16, candidates: 16 }), all);
  const few = await linker.link(mentions, { top: 16, candidates: 4 });
  for (const [i, entities] of few.entries()) {
    assert.is(entities.length, 4);
    const order = qids(all)[i]!.filter((qid) => qids(few)[i]!.includes(qid));
    assert.equal(qids(few)[i], order);
  }
});

test('a calibrated run counts names, and says how sure it is', async () => {
  const sure = await openLinker({ run: named, device });
  const plain = await openLinker({ run: named, device, names: false });
  const words = ['mouse', 'Mice', 'jaguarr', 'unknown thing'];
  const asked = words.map((word) => ({ word, sentence: 'an animal' }));
  const [found, without] = [await sure.link(asked, { top: 16 }), await plain.link(asked, { top: 16 })];
  const { exact, fuzzy } = calibration.names!;
  const added = [
    ['mouse', exact],
    ['mouse', exact],
    ['jaguar', fuzzy * (1 - 1 / 7)],
    ['', 0],
  ] as const;
  for (const [i, [name, plus]] of added.entries()) {
    for (const entity of found[i]!) {
      const { score } = without[i]!.find(({ qid }) => qid === entity.qid)!;
      const expected = score + (entity.name === name ? plus : 0);
      assert.ok(Math.abs(entity.score - expected) < 1e-4 * Math.max(1, Math.abs(expected)), entity.name);
      assert.is(entity.inKnowledgeBase, found[i]![0]!.inKnowledgeBase);
      assert.ok(entity.inKnowledgeBase! > 0 && entity.inKnowledgeBase! < 1);
    }
    const sum = found[i]!.reduce((total, { probability }) => total + probability!, 0);
    assert.ok(Math.abs(sum - 1) < 1e-9, `${sum}`);
    assert.ok(
      without[i]!.every(
        ({ probability, inKnowledgeBase }) => probability === null && inKnowledgeBase === null,
      ),
    );
  }
  // Named entities are candidates beside those of the vectors.
  const [few] = await sure.link([asked[0]!], { top: 16, candidates: 1 });
  assert.ok(few!.filter(({ name }) => name === 'mouse').length === 2, JSON.stringify(few));
  assert.ok(few!.length <= 3);

  const least = found[0]![0]!.inKnowledgeBase!;
  assert.is((await sure.link([asked[0]!], { threshold: least }))[0]!.length, 5);
  assert.equal(await sure.link([asked[0]!], { threshold: Math.min(1, least + 1e-9) }), [[]]);
  assert.match(
    (await refusal(() => plain.link(asked, { threshold: 0.5 }))).message,
    /^threshold: dsmip is not/,
  );
  assert.match((await refusal(() => sure.link(asked, { threshold: 2 }))).message, /^threshold: expected/);
  assert.match((await refusal(() => openLinker({ run, device, names: true }))).message, /not calibrated/);
  await sure.close();
  await plain.close();
});

test('what is not as it should be is one line that names it', async () => {
  for (const [work, message] of [
    [() => linker.link(mentions, { top: 0 }), /^top: expected a whole number from 1 to 1000, found 0/],
    [() => linker.link(mentions, { candidates: -1 }), /^candidates: expected a whole number from 0/],
    [
      () => linker.link([mentions[0]!, { word: ' ', sentence: 'x' }]),
      /^mentions\[1\]\.word: expected a text/,
    ],
    [() => linker.link([{ word: 'x' } as LinkMention]), /^mentions\[0\]\.sentence: /],
    [() => linker.link([{ ...mentions[1]!, image: 3 } as never]), /^mentions\[0\]\.image: expected a path/],
    [() => openLinker({ device }), /expected a run or an index/],
    [
      () => openLinker({ run: join(toy.folder, 'nothing'), device }),
      /nothing\/index\/index\.json: no such file/,
    ],
    [() => openLinker({ run, system: 'other', device }), /system other: expected one of dsmip, text/],
    [() => openLinker({ run, system: 'text', device }), /scorer: expected text, found dsmip/],
    [() => openLinker({ run, clip: toy.folder, device }), /config\.json: no such file/],
  ] as const) {
    const { message: line } = await refusal(work);
    assert.match(line, message);
    assert.not.match(line, /\n/);
  }
});

test('an aborted call rejects with its reason', async () => {
  const stop = new AbortController();
  const call = linker.link(mentions, { signal: stop.signal });
  const rest = linker.link(mentions);
  stop.abort(new Error('no longer wanted'));
  assert.is(await call.catch((error: Error) => error.message), 'no longer wanted');
  assert.is((await rest).length, 3);
});

test('the index of a knowledge base knows its run and its CLIP', async () => {
  const kb = await openLinker({ index: ownIndex, device });
  assert.is(kb.entityCount, 3);
  const [found] = await kb.link([mentions[2]!]);
  assert.is(found!.length, 3);
  assert.equal(found!.map(({ qid }) => qid).sort(), ['E0', 'E1', 'E2']);
  assert.is(found!.find(({ qid }) => qid === 'E1')!.attributes, 'a seal of wax');
  await kb.close();
});

test('a folder by its name alone is an index or a run, on a device of its own', async () => {
  const expected = await linker.link(mentions);
  const alone = await openLinker(run);
  assertSame(await alone.link(mentions), expected);
  await alone.close();
  const kb = await openLinker(ownIndex);
  assert.is(kb.entityCount, 3);
  await kb.close();
});

test('closing answers what was asked, releases the weights, and ends the linker', async () => {
  const bare = await openDevice();
  const live: number[] = [];
  // What the device keeps for itself is there after the first time.
  for (let time = 0; time < 2; time++) {
    const other = await openLinker({ run, device: bare });
    const call = other.link(mentions);
    const closed = other.close();
    assert.is((await call).length, 3);
    await closed;
    await other.close();
    assert.is((await refusal(() => other.link(mentions))).message, 'the linker is closed');
    live.push(bare.counters.liveBytes);
  }
  assert.is(live[1], live[0]);
  assert.ok(live[0]! < 1024, `${live[0]} bytes`);
  bare.destroy();
});

test('the kernels of a first answer are compiled before the next, unless nothing may be remembered', async () => {
  const cache = process.env['DSMIP_CACHE'];
  const folder = join(toy.folder, 'kept between');
  /** The answers of a linker on a device of its own, and how many kernels they waited for. */
  const first = async () => {
    const bare = await openDevice();
    const other = await openLinker({ run, device: bare });
    const { gpu } = bare;
    const compile = gpu.createComputePipeline;
    let waits = 0;
    gpu.createComputePipeline = (descriptor) => {
      waits++;
      return compile.call(gpu, descriptor);
    };
    const found = await other.link(mentions);
    await other.close();
    bare.destroy();
    return { found, waits };
  };
  process.env['DSMIP_CACHE'] = '';
  const cold = await first();
  assert.ok(cold.waits > 10, `${cold.waits} kernels`);
  process.env['DSMIP_CACHE'] = folder;
  assert.equal(await first(), cold);
  assert.equal(await first(), { ...cold, waits: 0 });
  const [file, ...others] = readdirSync(folder);
  assert.equal(others, []);
  writeFileSync(join(folder, file!), '{"version":1,"kernels":[{"kern');
  assert.equal(await first(), cold);
  assert.equal(await first(), { ...cold, waits: 0 });
  process.env['DSMIP_CACHE'] = '';
  assert.equal(await first(), cold);
  if (cache === undefined) delete process.env['DSMIP_CACHE'];
  else process.env['DSMIP_CACHE'] = cache;
});

test('a run, an index and a CLIP are linked by from an address', async () => {
  const server = createServer((request, response) => {
    const path = join(toy.folder, decodeURIComponent(new URL(request.url!, 'http://x').pathname));
    let bytes: Buffer;
    try {
      bytes = readFileSync(path);
    } catch {
      response.writeHead(404).end();
      return;
    }
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (!range) {
      response.writeHead(200, { 'content-length': bytes.length, 'accept-ranges': 'bytes' }).end(bytes);
      return;
    }
    const [first, last] = [Number(range[1]), Math.min(Number(range[2]), bytes.length - 1)];
    const part = bytes.subarray(first, last + 1);
    response
      .writeHead(206, {
        'content-length': part.length,
        'content-range': `bytes ${first}-${last}/${bytes.length}`,
      })
      .end(part);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const remote = await openLinker({ run: `${address}/run`, clip: `${address}/clip`, device });
    assertSame(await remote.link(mentions), await linker.link(mentions));
    await remote.close();
    const { message } = await refusal(() => openLinker({ run: `${address}/run`, device }));
    assert.match(message, /index\.json: does not say which CLIP/);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('an index is refused once its run was trained again', async () => {
  // Trainings need the data set again.
  const other = await makeToy(device);
  renameSync(other.data, toy.data);
  const again = await openToy(toy, device);
  await trainExpert(await toyExpert(toy, 'run', 'text', { 'training.seed': 2 }), again);
  again.close();
  removeToy(other);
  assert.match(
    (await refusal(() => openLinker({ run, device }))).message,
    /was trained with other experts \(text, multimodal\) than the run has now/,
  );
});

test.after(async () => {
  await linker.close();
  device.destroy();
  removeToy(toy);
});

test.run();
