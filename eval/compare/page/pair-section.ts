// Which differences between systems are real: a matrix of all pairs, and every pair in numbers.

import { type Html, html } from '../../report/html.ts';
import type { ComparedPair, Comparison } from '../comparison-file.ts';
import { significance } from '../paired-test.ts';
import { pText, signed } from '../table.ts';

/** Null where there is only one system. */
export function pairSection({ systems, pairs }: Comparison): Html | null {
  if (pairs.length === 0) return null;
  const numbers = new Map(systems.map(({ name }, i) => [name, i + 1]));
  const between = (a: string, b: string): ComparedPair | null => {
    const found = pairs.find((pair) => pair.a === a && pair.b === b);
    if (found) return found;
    const other = pairs.find((pair) => pair.a === b && pair.b === a);
    return other
      ? { ...other, a, b, difference: -other.difference, low: -other.high, high: -other.low }
      : null;
  };
  const rows = systems.map(
    ({ name, title }, i) =>
      html`<tr><th scope="row">${i + 1} ${title}</th>${systems.map((other) => {
        const pair = between(name, other.name);
        return pair === null ? html`<td class="self">·</td>` : cell(pair);
      })}</tr>\n`,
  );
  const real = pairs.filter(isReal).length;
  const list = pairs.map(
    (pair) => html`<tr><th scope="row">${numbers.get(pair.a)!} less ${numbers.get(pair.b)!}</th>
<td>${signed(pair.difference)}</td><td>${signed(pair.low)} to ${signed(pair.high)}</td><td>${pText(pair.p)}</td>
<td>${pText(pair.adjusted)}</td><td>${isReal(pair) ? 'real' : 'may be chance'}</td></tr>\n`,
  );
  return html`<h2>Which differences are real</h2>
<p>H@1 of the row's system less that of the column's, in points. ${real} of ${pairs.length} differences are
real: shaded and bold, with ▲ where the row's system is better and ▼ where it is worse. Of the others the choice of
mentions alone may be the reason.</p>
<div class="scroll"><table class="pairs">
<thead><tr><th scope="col">System</th>${systems.map((_, i) => html`<th scope="col">${i + 1}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div>
<p class="muted">A paired randomisation test over the mentions, each with the part of a system's seeds that linked it rightly;
p &lt; ${significance} by Holm's correction for all pairs together. It asks whether other mentions of this kind would show the
same order, not whether other seeds would: that is what the spread in the first table is for.</p>
<details><summary>Every pair with its interval</summary><div class="scroll"><table>
<caption><span class="wide">The interval holds the differences of 95 of 100 resamples of the mentions (paired bootstrap), of each pair by itself, while p is corrected for all of them.</span></caption>
<thead><tr>${['Pair', 'Points', '95 % interval', 'p', 'p, corrected', ''].map(
    (title) => html`<th scope="col">${title}</th>`,
  )}</tr></thead><tbody>${list}</tbody></table></div></details>`;
}

function isReal({ adjusted }: ComparedPair): boolean {
  return adjusted < significance;
}

function cell(pair: ComparedPair): Html {
  const { difference, low, high, adjusted } = pair;
  const about = `${signed(low)} to ${signed(high)}, corrected p ${pText(adjusted)}`;
  const text = `${difference > 0 ? '+' : ''}${difference.toFixed(1)}`;
  if (!isReal(pair)) return html`<td title="${about}">${text}</td>`;
  const [kind, mark] = difference > 0 ? ['better', '▲'] : ['worse', '▼'];
  return html`<td class="${kind}" title="${about}">${mark} ${text}</td>`;
}
