// The report as one HTML file that needs nothing beside it.

import type { Dataset, Split } from '../../data/dataset.ts';
import { titleOf } from '../results.ts';
import { confidenceSection } from './confidence-section.ts';
import { Html, html } from './html.ts';
import { mentionsSection } from './mentions-section.ts';
import type { RunFiles } from './read-run.ts';
import {
  gateSection,
  headline,
  imageSection,
  kindSection,
  type ResultsInput,
  resultsTable,
} from './results-section.ts';
import { style } from './style.ts';
import { answeringSystem } from './summary.ts';
import { trainingSection } from './training-section.ts';

/** The page of the run called `name`. Parts that the run does not have are left out, and said to be. */
export async function reportPage(name: string, dataset: Dataset, run: RunFiles): Promise<string> {
  const { results, predictions, courses } = run;
  const split = (results?.split ?? 'test') as Split;
  const input: ResultsInput | null = results && { results, predictions, mentions: dataset.splits[split] };
  const answers = answeringSystem(predictions);
  const answering = answers === null ? 'run' : titleOf(answers);
  const system = answering.startsWith('DSMIP') ? answering : `the ${answering}`;
  const title = `DSMIP on ${dataset.name}`;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}: ${name}</title><style>${new Html(style)}</style></head>
<body><header><h1>${title}</h1>
<p class="muted">${about(name, dataset, run)}</p></header>
<main>${input ? headline(input) : missing('It has not been evaluated yet: no metrics.json.')}
${input ? html`<h2>Results</h2>${resultsTable(input)}${kindSection(input)}${imageSection(input)}${gateSection(input)}${confidenceSection(input.results)}` : null}
${results && predictions.length === 0 ? missing('No predictions.jsonl: no single mentions to show.') : null}
${results ? await mentionsSection(dataset, split, predictions, system) : null}
${trainingSection(courses)}
</main></body></html>
`;
  return page.text;
}

function about(name: string, dataset: Dataset, { results, courses }: RunFiles): string {
  const { train, dev, test } = dataset.splits;
  const trained = courses.map((course) => course.name).join(', ');
  return [
    `Run ${name}.`,
    `${dataset.entities.length} entities; mentions: ${train.length} to train, ${dev.length} to validate,`,
    `${test.length} to test.`,
    results ? `Evaluated on the ${results.split} split, on ${results.device}.` : '',
    trained === '' ? '' : `Trained: ${trained}.`,
  ].join(' ');
}

function missing(what: string): Html {
  return html`<p class="muted">${what}</p>`;
}
