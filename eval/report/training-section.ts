// How the losses fell, and what validation said after each epoch.

import { colourOf, lossChart, validationChart } from './charts.ts';
import { type Html, html } from './html.ts';
import type { Course } from './read-run.ts';

/** One row of charts for each training of the run. */
export function trainingSection(courses: readonly Course[]): Html | null {
  const shown = courses.filter(({ steps }) => steps.length > 0);
  if (shown.length === 0) return null;
  return html`<h2>Training</h2>
<p>Left, the loss: every step faintly, and its mean over the last twentieth of all steps. Right, validation
after each epoch against the whole knowledge base; the ring marks the epoch that was kept, the best by
MRR.</p>
${shown.map(courseRow)}`;
}

function courseRow({ name, steps, epochs, config }: Course): Html {
  const title =
    name === 'gate' ? 'Gate and scoring units' : `${name[0]!.toUpperCase()}${name.slice(1)} expert`;
  const [first, last] = [steps[0]!.loss, steps.at(-1)!.loss];
  const lossLabel = `${title}: loss by step, ${first.toFixed(2)} at first, ${last.toFixed(2)} at last`;
  const values = epochs.map(({ mrr }) => mrr.toFixed(1));
  const epochLabel = `${title}: validation by epoch, MRR ${values.join(', ')}`;
  const colour = colourOf(name);
  return html`<section class="course"><h3>${title}</h3>
<figure>${lossChart(lossLabel, steps, colour)}</figure>
${epochs.length === 0 ? null : html`<figure>${validationChart(epochLabel, epochs, colour)}</figure>`}
</section>
<details><summary>${title}: epochs and configuration in numbers</summary>
${epochs.length === 0 ? null : epochTable(epochs)}
${config === null ? null : html`<p class="muted">${configText(config)}</p>`}
</details>\n`;
}

function epochTable(epochs: Course['epochs']): Html {
  return html`<div class="scroll"><table>
<thead><tr>${['Epoch', 'Step', 'H@1', 'MRR'].map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${epochs.map(({ epoch, step, hits1, mrr }) => {
    const values = [`${step}`, hits1.toFixed(2), mrr.toFixed(2)].map((value) => html`<td>${value}</td>`);
    return html`<tr><th scope="row">${epoch}</th>${values}</tr>\n`;
  })}</tbody></table></div>`;
}

/** 'training.epochs 3, training.batchSize 32' */
function configText(config: object): string {
  const fields = (section: object, before: string): string[] =>
    Object.entries(section).flatMap(([name, value]) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? fields(value, `${before}${name}.`)
        : [`${before}${name} ${value}`],
    );
  return fields(config, '').join(', ');
}
