// `npm run fuzz`: damages artefacts 10,000 times and reads them; `-- --runs N --seed S`.

import { parseArgs } from 'node:util';
import { fuzzArtefacts } from './fuzz-artefacts.ts';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '10000' }, seed: { type: 'string' } },
});
const runs = Number(values.runs);
const seed = values.seed === undefined ? Math.floor(2 ** 31 * Math.random()) : Number(values.seed);
console.log(`${runs} damages, --seed ${seed}`);
const outcomes = await fuzzArtefacts({ runs, seed }, (done) => {
  if (done % 1000 === 0) console.log(`${done} of ${runs}`);
});
for (const [name, own] of [...outcomes].sort()) {
  const counts = Object.entries(own).map(([outcome, count]) => `${count} ${outcome}`);
  console.log(`${name}: ${counts.join(', ')}`);
}
process.exit(0);
