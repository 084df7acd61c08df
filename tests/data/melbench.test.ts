// The importer of MELBench's raw release: on a hand-made zip of the same form, and on the real ones where they are.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { strToU8, zipSync } from 'fflate';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readDataset, type Split } from '../../data/dataset.ts';
import { importMelbench, type MelbenchImport } from '../../data/melbench/import-melbench.ts';
import { melbenchName, readMelbench } from '../../data/melbench/melbench.ts';
import { entityRows, mentionRows, randomSplits } from '../../data/melbench/melbench-layout.ts';
import { InputError } from '../../files/errors.ts';

const release = fileURLToPath(new URL('../../../shared/data/melbench/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dsmip-melbench-'));
test.after(() => rmSync(folder, { recursive: true }));

/** Eight single-mention samples, one with two mentions of one word, two with the same sentence, odd texts. */
const samples: Record<string, unknown> = {
  ...Object.fromEntries(
    Array.from({ length: 8 }, (_, i) => [
      `${100 + i}`,
      sample(`${100 + i}`, `Person ${i} at sea`, [[`Person ${i}`, `Person ${i} (sailor)`, `Q${20 - i}`]]),
    ]),
  ),
  41029: sample('41029', '\u00a0Bridges and his son Beau', [
    ['Bridges', 'Lloyd Bridges', 'Q317817'],
    ['Bridges', 'Beau Bridges', 'Q309640'],
  ]),
  5: sample('5', 'The same sentence', [['50% off', 'A 50%C3 name', 'Q7']]),
  6: sample('6', ' The same sentence ', [['\n\n', 'Frida Uhl', 'Q79179']]),
};

function sample(id: string, sentence: string, mentions: [string, string, string][]): object {
  const [words, entities, answer] = [0, 1, 2].map((i) => mentions.map((mention) => mention[i]));
  return { id, sentence, mentions: words, entities, answer };
}

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

function zip(name: string, members: Record<string, string>): string {
  const bytes = Object.entries(members).map(([path, text]) => [path, strToU8(text)] as const);
  return file(name, zipSync(Object.fromEntries(bytes)));
}

/** Imports, with what is usual where nothing is said. */
async function run(options: Partial<MelbenchImport> & { from: string; out: string }): Promise<string> {
  const usual = { name: '', seed: 0, splits: '', texts: '', force: false };
  return (await importMelbench({ ...usual, ...options })).join('\n');
}

/** The message of what must be the user's mistake. */
async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (thrown: Error) => thrown,
  );
  assert.instance(error, InputError, error?.stack);
  return error!.message;
}

const good = zip('Wikidata-MEL.zip', { 'Wikidata-MEL.json': JSON.stringify(samples) });

test('a zip, its .json and strings for lists of one are the same release', async () => {
  const zipped = await readMelbench(good);
  assert.equal(zipped, await readMelbench(file('plain.json', `\ufeff${JSON.stringify(samples)}`)));
  const strings = { Q23: { id: 'Q23', sentence: 's', mentions: 'w', entities: 'e', answer: 'Q23' } };
  const { samples: read } = await readMelbench(file('strings.json', JSON.stringify(strings)));
  assert.equal(read, [{ id: 'Q23', sentence: 's', mentions: [{ word: 'w', entity: 'e', qid: 'Q23' }] }]);
  assert.is(melbenchName(good), 'WIKIMEL');
  assert.is(melbenchName('/a/wikidata/Richpedia-MEL.zip'), 'RichpediaMEL');
  assert.is(melbenchName('/wikidata/x.zip'), null);
});

test('what cannot be used is skipped and counted', async () => {
  const odd = {
    ...samples,
    1: sample('1', 'No qid', [['w', 'e', 'nil']]),
    2: sample('2', 'One of two', [
      ['w', 'e', 'Q1'],
      ['w', 'e', ''],
    ]),
    3: { id: '3', sentence: 'Unequal', mentions: ['a', 'b'], entities: ['e'], answer: ['Q1'] },
    4: { id: '4', sentence: 'Nothing', mentions: [], entities: [], answer: [] },
  };
  const { samples: read, skipped } = await readMelbench(file('odd.json', JSON.stringify(odd)));
  assert.equal(skipped, { samplesOfUnequalLists: 1, mentionsWithoutQid: 2, samplesWithoutMention: 2 });
  assert.is(read.length + 1 + 2, Object.keys(odd).length);
});

test('damage is one line with file, sample and field', async () => {
  const whole = readFileSync(good);
  const cases: [string, RegExp][] = [
    [join(folder, 'none.zip'), /none\.zip: no such file$/],
    [file('cut.zip', whole.subarray(0, whole.length - 40)), /cut\.zip: not a whole zip file: /],
    [
      zip('two.zip', { 'a.json': '{}', 'b.json': '{}' }),
      /two\.zip: expected one \.json in the zip, found 2$/,
    ],
    [zip('cut-json.zip', { 'a.json': '{"1": {' }), /cut-json\.zip\/a\.json: not valid JSON/],
    [file('array.json', '[]'), /array\.json: expected an object of samples by key, found an array$/],
    [file('empty.json', '{}'), /empty\.json: expected at least one sample, found none$/],
    [
      file('latin.json', Uint8Array.of(0x22, 0xe9, 0x22)),
      /latin\.json: line 1: expected UTF-8 text, found others at byte [12]$/,
    ],
    [
      file('type.json', JSON.stringify({ 7: { ...(samples[5] as object), answer: [5] } })),
      /type\.json: entry 7: answer: expected a list of strings, found an array$/,
    ],
    [
      file('no-sentence.json', JSON.stringify({ 7: { id: '7' } })),
      /no-sentence\.json: entry 7: sentence: expected a string, found nothing$/,
    ],
  ];
  for (const [path, expected] of cases) {
    const message = await readMelbench(path).then(
      () => 'was read',
      (error) => (error as Error).message,
    );
    assert.match(message, expected);
    assert.not.match(message, /\n/);
  }
});

test('entities are in the order of their qids; the first of several names counts', async () => {
  const two = [
    { id: '1', sentence: '', mentions: [{ word: 'a', entity: 'Ada', qid: 'Q10' }] },
    { id: '2', sentence: '', mentions: [{ word: 'b', entity: 'Bo%', qid: 'Q9' }] },
    { id: '3', sentence: '', mentions: [{ word: 'a', entity: 'Ada L.', qid: 'Q10' }] },
  ];
  const { rows, renamed } = entityRows(two, new Map([['Q9', 'Sex: male.']]));
  assert.equal(
    rows.map(({ id, qid, entity_name, attr }) => [id, qid, entity_name, attr]),
    [
      [0, 'Q9', 'Bo%25', 'Sex: male.'],
      [1, 'Q10', 'Ada', ''],
    ],
  );
  assert.equal([...renamed], ['Q10']);
});

test("the random split has the paper's proportions, hangs on the seed alone and keeps sentences together", () => {
  const many = Array.from({ length: 2000 }, (_, i) => ({
    id: `${i}`,
    sentence: `sentence ${i % 1900}`,
    mentions: Array.from({ length: 1 + (i % 3) }, () => ({ word: 'w', entity: 'e', qid: `Q${i}` })),
  }));
  const splits = randomSplits(many, 0);
  const rows = mentionRows(many, splits);
  assert.equal([rows.train.length, rows.dev.length, rows.test.length], [2799, 400, 800]);
  assert.equal(splits, randomSplits(many.toReversed(), 0));
  assert.not.equal(splits, randomSplits(many, 1));
  for (let i = 0; i < 100; i++) assert.is(splits.get(`${i}`), splits.get(`${1900 + i}`));
});

test('the command writes a data set that the reader takes, without remarks of its own making', async () => {
  const out = join(folder, 'out');
  const stdout = await run({ from: good, out, seed: 3 });
  assert.equal(readdirSync(out).sort(), [
    'WIKIMEL_dev.json',
    'WIKIMEL_test.json',
    'WIKIMEL_train.json',
    'kb_entity.json',
    'qid2id.json',
  ]);
  assert.match(stdout, /11 samples, 12 mentions/);
  assert.match(stdout, /kept: 11 samples, 12 mentions; 1 with an empty word/);
  const data = await readDataset(out);
  const all = Object.values(data.splits).flat();
  assert.equal(
    Object.values(data.splits).map((split) => split.length),
    [8, 1, 3],
  );
  const found = all
    .map(({ id, word, entity, image }) => [
      id,
      word,
      data.entities[entity]!.name,
      image?.slice(out.length + 1),
    ])
    .sort();
  assert.equal(found.slice(8), [
    ['41029-0', 'Bridges', 'Lloyd Bridges', join('mention_image', '41029.jpg')],
    ['41029-1', 'Bridges', 'Beau Bridges', join('mention_image', '41029.jpg')],
    ['5', '50% off', 'A 50%C3 name', join('mention_image', '5.jpg')],
    ['6', '', 'Frida Uhl', join('mention_image', '6.jpg')],
  ]);
  assert.is(data.remarks.length, 1);
  assert.match(data.remarks[0]!, /1 entry with an empty mention/);

  assert.match(
    await refusal(run({ from: good, out })),
    /kb_entity\.json: exists already, and is replaced only by force$/,
  );
  assert.is(await run({ from: good, out, seed: 3, force: true }), stdout);
});

test("the authors' splits and texts are taken, and what they leave out is counted", async () => {
  const splits = file(
    'splits.json',
    JSON.stringify({ train: ['41029', '5'], test: ['100', '999'], dev: ['6'] }),
  );
  const texts = file('qid2abs.json', JSON.stringify({ Q317817: 'Sex: male. Birth: 1913.', Q1: 'unused' }));
  const out = join(folder, 'given');
  const stdout = await run({ from: good, out, splits, texts });
  assert.match(stdout, /skipped: 7 samples \(7 mentions\) in no split/);
  assert.match(stdout, /names 1 samples that /);
  const data = await readDataset(out);
  assert.equal(
    (['train', 'dev', 'test'] as Split[]).map((split) => data.splits[split].map(({ id }) => id)),
    [['5', '41029-0', '41029-1'], ['6'], ['100']],
  );
  const [lloyd] = data.entities.filter(({ qid }) => qid === 'Q317817');
  assert.is(lloyd!.attributes, 'Sex: male. Birth: 1913.');
  assert.is(data.entities.length, 5);
});

test('wrong use is one line and writes nothing', async () => {
  const out = join(folder, 'nothing');
  const twice = file('twice.json', JSON.stringify({ train: ['5'], dev: ['6'], test: ['5'] }));
  const elsewhere = file('elsewhere.json', JSON.stringify({ train: ['5'], dev: ['6'], test: ['77'] }));
  const cases: [Partial<MelbenchImport>, RegExp][] = [
    [{ from: join(folder, 'plain.json') }, /its name does not say which data set it is/],
    [{ name: 'a/b' }, /name a\/b: expected letters and digits/],
    [{ splits: twice }, /twice\.json: test: sample 5 occurs twice/],
    [{ splits: elsewhere }, /elsewhere\.json: leaves no mention to test/],
    [{ texts: join(folder, 'none') }, /none: no such file/],
  ];
  for (const [options, expected] of cases) {
    const message = await refusal(run({ from: good, out, ...options }));
    assert.match(message, expected);
    assert.not.match(message, /\n/);
  }
  assert.not.ok(existsSync(out));
});

test('a zip that would unpack to too much, or not to what it says, is refused', async () => {
  const packed = zipSync({ 'a.json': strToU8(JSON.stringify(samples)) });
  const view = () => {
    const bytes = packed.slice();
    return { bytes, view: new DataView(bytes.buffer) };
  };
  const directory = packed.length - 22 - (46 + 'a.json'.length);
  const changed = (name: string, change: (view: DataView, bytes: Uint8Array) => void) => {
    const copy = view();
    change(copy.view, copy.bytes);
    return refusal(readMelbench(file(name, copy.bytes)));
  };
  const size = (bytes: number) => (view: DataView) => view.setUint32(directory + 24, bytes, true);
  assert.match(await changed('huge.zip', size(2 ** 32 - 2)), /a\.json: expected at most \d+ bytes$/);
  assert.match(await changed('small.zip', size(100)), /a\.json: damaged \(wrong checksum\)$/);
  assert.match(await changed('crc.zip', (v) => v.setUint8(directory + 16, 1)), /damaged \(wrong checksum\)$/);
  assert.match(await changed('method.zip', (v) => v.setUint8(directory + 10, 12)), /packed by method 12/);
  assert.match(await changed('secret.zip', (v) => v.setUint8(directory + 8, 1)), /it is encrypted$/);
  const expected = await readMelbench(file('whole.zip', packed));
  for (let i = 0; i < packed.length; i++) {
    const damaged = packed.slice();
    damaged[i]! ^= 1 << (i % 8);
    // Dates and the like may be anything; what is read is never another thing.
    const found = await readMelbench(file('flipped.zip', damaged)).catch((error: Error) => error);
    if (found instanceof Error) assert.instance(found, InputError, `byte ${i}: ${found.stack}`);
    else assert.equal(found, expected, `byte ${i}`);
  }
});

if (existsSync(join(release, 'Wikidata-MEL.zip'))) {
  test('the real releases have the sizes of Table 5', async () => {
    for (const [name, samples, mentions, entities, splits] of [
      ['Wikidata-MEL.zip', 22136, 25846, 17391, [18092, 2585, 5169]],
      ['Richpedia-MEL.zip', 17805, 17805, 17805, [12463, 1780, 3562]],
    ] as const) {
      const { samples: read, skipped } = await readMelbench(join(release, name));
      assert.equal(Object.values(skipped), [0, 0, 0]);
      assert.is(read.length, samples);
      assert.is(read.flatMap((each) => each.mentions).length, mentions);
      assert.is(entityRows(read, new Map()).rows.length, entities);
      const rows = mentionRows(read, randomSplits(read, 0));
      assert.equal([rows.train.length, rows.dev.length, rows.test.length], [...splits]);
      const trained = new Set(rows.train.flatMap(({ sentence, imgPath }) => [sentence, imgPath]));
      for (const { sentence, imgPath } of [...rows.dev, ...rows.test]) {
        assert.not.ok(trained.has(sentence) || trained.has(imgPath));
      }
    }
  });
} else {
  console.log(`skipped the real releases: no ${join(release, 'Wikidata-MEL.zip')}`);
  test.skip('the real releases have the sizes of Table 5', () => {});
}

test.run();
