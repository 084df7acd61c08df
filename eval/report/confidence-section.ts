// What a report says of calibrated probabilities: whether they order what is linked rightly before what is not in the
// knowledge base, and what answering only above a threshold gives.

import type { ConfidenceReport } from '../names.ts';
import { type Results, titleOf } from '../results.ts';
import { thresholdChart } from './charts.ts';
import { type Html, html } from './html.ts';

/** The calibrated systems' figures; null for a run that is not calibrated. */
export function confidenceSection({ confidence }: Pick<Results, 'confidence'>): Html | null {
  const systems = Object.entries(confidence);
  if (systems.length === 0) return null;
  return html`<h2>How sure it is</h2>
<p class="muted">Each mention is asked as it is, and some once more with their entity taken out of the knowledge base. AUROC:
how often a mention whose entity is there is more probable to be linkable than one whose entity is not. Calibration error:
how far the first entity's probability is from how often it is right, in 15 bins.</p>
<div class="charts">${systems.map(([name, report]) => figure(titleOf(name), report))}</div>`;
}

function figure(title: string, report: ConfidenceReport): Html {
  const { auroc, calibrationError, takenOut, curve } = report;
  const points = curve.flatMap(({ threshold, precision, recall }) =>
    precision === null ? [] : [{ threshold, precision: 100 * precision, recall: 100 * recall }],
  );
  const said = points
    .filter((_, i) => i % 4 === 0)
    .map(({ threshold, precision, recall }) => {
      return `${threshold.toFixed(1)}: ${precision.toFixed(0)} / ${recall.toFixed(0)}`;
    });
  const label = `Precision / recall of ${title} by threshold: ${said.join(', ')}`;
  return html`<figure><h3>${title}</h3>${thresholdChart(label, points)}
<figcaption>AUROC ${auroc.toFixed(3)} (${takenOut} mentions without their entity), calibration error
${(100 * calibrationError).toFixed(1)} %</figcaption></figure>\n`;
}
