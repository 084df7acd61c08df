// Finds the command that the arguments begin with, loads it and nothing else, and runs it to its exit code.

import { UsageError } from '../files/errors.ts';
import { reportError } from './errors.ts';
import { outputTaken, print, printError, watchOutputs } from './output.ts';
import { StoppedError } from './show-work.ts';
import { endWithParent } from './stage-commands.ts';

interface CommandModule {
  run(args: readonly string[]): Promise<void>;
}

/** The commands by their words, in the order of the help. */
const commands: Readonly<Record<string, { summary: string; load: () => Promise<CommandModule> }>> = {
  start: {
    summary: 'train everything, evaluate and report',
    load: () => import('./commands/start.ts'),
  },
  'train expert': {
    summary: 'stage 1: one expert',
    load: () => import('./commands/train/expert.ts'),
  },
  'train gate': {
    summary: 'stage 2: the gate over trained experts',
    load: () => import('./commands/train/gate.ts'),
  },
  'train baseline': {
    summary: 'a baseline to compare with',
    load: () => import('./commands/train/baseline.ts'),
  },
  'train clip': {
    summary: 'pretrain a tiny CLIP',
    load: () => import('./commands/train/clip.ts'),
  },
  'train bert': {
    summary: 'pretrain a tiny BERT',
    load: () => import('./commands/train/bert.ts'),
  },
  'train albef': {
    summary: 'pretrain a tiny ALBEF',
    load: () => import('./commands/train/albef.ts'),
  },
  calibrate: {
    summary: 'how sure a run is of its answers, and how much names count',
    load: () => import('./commands/calibrate.ts'),
  },
  evaluate: {
    summary: 'rank the mentions of a split',
    load: () => import('./commands/evaluate.ts'),
  },
  index: {
    summary: 'make the entity index of a run or of your own knowledge base',
    load: () => import('./commands/index.ts'),
  },
  link: {
    summary: 'link mentions to entities',
    load: () => import('./commands/link.ts'),
  },
  serve: {
    summary: 'link mentions over HTTP',
    load: () => import('./commands/web/serve.ts'),
  },
  demo: {
    summary: 'write a page that links in the browser',
    load: () => import('./commands/web/demo.ts'),
  },
  report: {
    summary: 'write the page about a run',
    load: () => import('./commands/report.ts'),
  },
  compare: {
    summary: "train and rank the systems of the paper's table side by side",
    load: () => import('./commands/compare.ts'),
  },
  ablate: {
    summary: "run the paper's ablations",
    load: () => import('./commands/ablate.ts'),
  },
  reproduce: {
    summary: "run the paper's experiments on one of its data sets",
    load: () => import('./commands/reproduce.ts'),
  },
  inspect: {
    summary: 'say what is in a data set, and what is wrong with it',
    load: () => import('./commands/files/inspect.ts'),
  },
  import: {
    summary: 'make a data set of a MELBench release',
    load: () => import('./commands/files/import.ts'),
  },
  download: {
    summary: "fetch a model's weights",
    load: () => import('./commands/files/download.ts'),
  },
  verify: {
    summary: 'hold the engine against the reference cases',
    load: () => import('./commands/verify.ts'),
  },
  bench: {
    summary: 'measure the kernels',
    load: () => import('./commands/bench.ts'),
  },
  setup: {
    summary: 'find or install a WebGPU adapter',
    load: () => import('./commands/setup.ts'),
  },
};

/** Runs a command; sets the exit code, having said on one line what the user can put right. */
export async function main(args: readonly string[]): Promise<void> {
  endWithParent();
  watchOutputs();
  try {
    const found = commandIn(args);
    if (found) await (await found.load()).run(found.rest);
    await outputTaken();
  } catch (error) {
    process.exitCode = error instanceof StoppedError ? 130 : reportError(error);
    if (error instanceof StoppedError) printError('stopped; with --resume a training goes on');
  }
}

/** The command and its own arguments; null for --help, which is printed. Throws UsageError. */
function commandIn(args: readonly string[]) {
  for (const [name, { load }] of Object.entries(commands)) {
    const words = name.split(' ');
    if (words.every((word, i) => args[i] === word)) return { load, rest: args.slice(words.length) };
  }
  const [first, second] = args;
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    print(helpText(Object.keys(commands)));
    return null;
  }
  if (second === '--help' && commandsOf(first).length > 0) {
    print(helpText(commandsOf(first)));
    return null;
  }
  const some = commandsOf(first);
  const names = (some.length > 0 ? some : Object.keys(commands)).join(', ');
  throw new UsageError(`'${args.slice(0, 2).join(' ')}': expected one of ${names} (dsmip --help)`);
}

/** The commands of two words that begin with this one. */
function commandsOf(first: string): string[] {
  return Object.keys(commands).filter((name) => name.startsWith(`${first} `));
}

function helpText(names: readonly string[]): string {
  const lines = names.map((name) => `  ${name.padEnd(16)} ${commands[name]!.summary}`);
  return (
    'Usage: dsmip COMMAND [flags]\n\nMultimodal entity linking on WebGPU.\n\nCommands:\n' +
    `${lines.join('\n')}\n\n  dsmip COMMAND --help lists the flags of a command.\n\n` +
    'Example:\n  dsmip start --epochs 1 --train-fraction 0.1 --run runs/small'
  );
}
