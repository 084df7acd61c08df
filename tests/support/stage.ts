// A stage for tests of eval/stages.ts: notes its arguments in a file and ends as it is told.
//   node tests/support/stage.ts LOG NAME [--write FILE] [--exit CODE] [--resume]

import { appendFileSync, writeFileSync } from 'node:fs';

const [log, name, ...flags] = process.argv.slice(2);
const flagOf = (flag: string) => flags[flags.indexOf(flag) + 1]!;
appendFileSync(log!, `${name}${flags.includes('--resume') ? ' resumed' : ''}\n`);
if (flags.includes('--exit')) process.exit(Number(flagOf('--exit')));
if (flags.includes('--write')) writeFileSync(flagOf('--write'), 'done');
