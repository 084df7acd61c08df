// How long a linker takes from the start of its process to its first answer, and to later ones, and what memory it has then:
//   node bench/scale/first-answer.ts --run DIR [--candidates 100]
// Prints one line of JSON. Run it twice: the first time the driver compiles the kernels.

const started = performance.timeOrigin;
const { openLinker } = await import('../../link/linker.ts');
const { count, parseFlags, reportError, text } = await import('./flags.ts');

const FLAGS = {
  run: text('runs/default', 'folder of a run with its index'),
  candidates: count(0, 'entities to score a mention; 0: all'),
  answers: count(5, 'to measure after the first', 1),
};

try {
  const options = parseFlags('usage: node bench/scale/first-answer.ts [flags]', FLAGS, process.argv.slice(2));
  if (options) console.log(JSON.stringify(await measure(options)));
} catch (error) {
  process.exitCode = reportError(error);
}

async function measure({ run, candidates, answers }: { run: string; candidates: number; answers: number }) {
  const linker = await openLinker(run);
  const openedSeconds = secondsSince(started);
  const seconds: number[] = [];
  for (let i = 0; i <= answers; i++) {
    const start = performance.timeOrigin + performance.now();
    const mention = { word: 'mouse', sentence: `she moved the mouse over the table and clicked ${i}` };
    await linker.link([mention], { candidates });
    seconds.push(secondsSince(i === 0 ? started : start));
  }
  const { maxRSS } = process.resourceUsage();
  const { entityCount: entities, system } = linker;
  await linker.close();
  const [firstAnswerSeconds, ...laterSeconds] = seconds;
  const peak = { residentPeak: 1024 * maxRSS };
  return { entities, system, candidates, openedSeconds, firstAnswerSeconds, laterSeconds, ...peak };
}

function secondsSince(start: number): number {
  return Number(((performance.timeOrigin + performance.now() - start) / 1000).toFixed(3));
}
