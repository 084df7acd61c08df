// Overlapping calls of a linker: what is answered together, in which order, and what one call's end means for the others.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LinkQueue } from '../../../link/calls/link-queue.ts';

const options = { top: 5, candidates: 0 };

/** A queue that answers with the mentions in capitals, and notes how many it was asked at a time. */
function queueOf(answer = async (words: readonly string[]) => words.map((word) => word.toUpperCase())) {
  const sizes: number[] = [];
  const queue = new LinkQueue<string, string>(async (words) => {
    sizes.push(words.length);
    return answer(words);
  });
  return { queue, sizes };
}

const numbered = (count: number) => Array.from({ length: count }, (_, i) => `m${i}`);
const capitals = (count: number) => Array.from({ length: count }, (_, i) => `M${i}`);

test('calls of one turn are answered together, those with other options by themselves', async () => {
  const { queue, sizes } = queueOf();
  const answers = await Promise.all([
    queue.add(['a'], options),
    queue.add(['b', 'c'], options),
    queue.add(['d'], { top: 1, candidates: 0 }),
    queue.add(['e'], options),
    queue.add([], options),
  ]);
  assert.equal(answers, [['A'], ['B', 'C'], ['D'], ['E'], []]);
  assert.equal(sizes, [4, 1]);
});

test('a batch has at most 128 mentions, and a call may have more', async () => {
  const { queue, sizes } = queueOf();
  const [long, short] = await Promise.all([queue.add(numbered(300), options), queue.add(['x'], options)]);
  assert.equal(long, capitals(300));
  assert.equal(short, ['X']);
  assert.equal(sizes, [128, 128, 45]);
});

test('an aborted call ends at once, waiting or under way, and the others go on', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { queue, sizes } = queueOf(async (words) => {
    await held;
    return words.map((word) => word.toUpperCase());
  });
  const [running, waiting] = [new AbortController(), new AbortController()];
  const calls = [
    queue.add(['a'], options, running.signal),
    queue.add(['b'], { top: 2, candidates: 0 }, waiting.signal),
    queue.add(['c'], options),
  ];
  const ends = calls.map((call) => call.catch((error: Error) => error.message));
  await Promise.resolve();
  running.abort(new Error('stopped a'));
  waiting.abort(new Error('stopped b'));
  assert.equal(await Promise.all(ends.slice(0, 2)), ['stopped a', 'stopped b']);
  release();
  assert.equal(await ends[2], ['C']);
  assert.equal(sizes, [2]);
  const late = AbortSignal.abort(new Error('before'));
  assert.throws(() => queue.add(['d'], options, late), 'before');
});

test('a call that fails takes no other with it', async () => {
  const { queue, sizes } = queueOf(async (words) => {
    if (words.includes('bad')) throw new Error('bad mention');
    return words.map((word) => word.toUpperCase());
  });
  const ends = await Promise.allSettled([
    queue.add(['a'], options),
    queue.add(['bad'], options),
    queue.add(['b'], options),
  ]);
  assert.equal(
    ends.map((end) => (end.status === 'fulfilled' ? end.value : (end.reason as Error).message)),
    [['A'], 'bad mention', ['B']],
  );
  assert.equal(sizes, [3, 1, 1, 1]);
});

test('a first call waits for others for a while, or until a batch is full', async () => {
  const sizes: number[] = [];
  const queue = new LinkQueue<string, string>(async (words) => {
    sizes.push(words.length);
    return [...words];
  }, 40);
  const later = async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return queue.add(['later'], options);
  };
  const start = performance.now();
  await Promise.all([queue.add(['a'], options), later(5), later(10)]);
  assert.equal(sizes, [3]);
  assert.ok(performance.now() - start >= 35);
  const full = performance.now();
  const first = queue.add(['a'], options);
  await Promise.all([first, queue.add(numbered(127), options)]);
  assert.equal(sizes, [3, 128]);
  assert.ok(performance.now() - full < 35);
});

test('work is told when nobody waits for it any more', async () => {
  const signals: AbortSignal[] = [];
  let fail = (_: Error) => {};
  const queue = new LinkQueue<string, string>((words, _, signal) => {
    signals.push(signal);
    if (words.includes('quick')) return Promise.resolve([...words]);
    return new Promise((_, reject) => {
      fail = reject;
    });
  });
  const [a, b] = [new AbortController(), new AbortController()];
  const ends = [queue.add(['a'], options, a.signal), queue.add(['b'], options, b.signal)].map((call) =>
    call.catch((error: Error) => error.message),
  );
  await new Promise((resolve) => setTimeout(resolve, 1));
  a.abort(new Error('no more a'));
  assert.not.ok(signals[0]!.aborted, 'somebody waits for b');
  b.abort(new Error('no more b'));
  assert.ok(signals[0]!.aborted);
  assert.equal(await Promise.all(ends), ['no more a', 'no more b']);
  fail(new Error('stopped'));
  assert.equal(await queue.add(['quick'], options), ['quick']);
  assert.is(signals.length, 2, 'what nobody waits for is not tried again');
});

test('idle waits for all that was asked', async () => {
  const { queue } = queueOf();
  let isDone = false;
  void queue.add(numbered(200), options).then(() => {
    isDone = true;
  });
  await queue.idle();
  assert.ok(isDone);
});

test.run();
