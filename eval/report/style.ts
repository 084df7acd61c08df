// The report's style sheet: sober, readable on a phone and in the dark. The experts' colours are Okabe and
// Ito's, which colour-blind readers tell apart.

export const style = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --raised: #f6f6f4; --ink: #1c1c1a; --muted: #5f5f5a; --line: #dcdcd6;
  --text: #0072b2; --visual: #b86a00; --multimodal: #00785a; --neutral: #55555a; --on-colour: #ffffff;
  --right: #00694e; --wrong: #b03a00; --mark: #fff0b3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #161617; --raised: #202022; --ink: #ececea; --muted: #a3a3a0; --line: #38383b;
    --text: #6cb8ec; --visual: #eda93a; --multimodal: #3cc49a; --neutral: #b4b4b8; --on-colour: #111112;
    --right: #4fd0a5; --wrong: #ff9a66; --mark: #5a4a00;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 66rem; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif;
  -webkit-text-size-adjust: 100%;
}
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 3rem 0 .6rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 .3rem; }
p { margin: .4rem 0 .8rem; max-width: 44rem; }
.muted, figcaption, caption, summary { color: var(--muted); font-size: .9rem; }
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem;
  margin: 1.4rem 0; padding: 0;
}
.tiles div {
  background: var(--raised); border-radius: .5rem; padding: .8rem 1rem; display: flex;
  flex-direction: column;
}
.tiles dt { color: var(--muted); font-size: .85rem; }
.tiles dd {
  margin: 0; font-size: 1.7rem; line-height: 1.25; font-weight: 600; font-variant-numeric: tabular-nums;
}
.tiles dd small { font-size: .85rem; font-weight: 400; color: var(--muted); }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .95rem; }
caption { text-align: left; padding-bottom: .4rem; }
th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; position: sticky; left: 0; background: var(--page); }
.wide { position: sticky; left: 0; display: inline-block; max-width: min(44rem, calc(100vw - 2.5rem)); }
th { font-weight: 600; }
thead th { border-bottom: 1px solid var(--ink); }
tbody th { font-weight: 400; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
tbody.paper { color: var(--muted); }
tbody th[scope=rowgroup] { padding-top: 1.1rem; white-space: normal; font-size: .9rem; }
td.best { font-weight: 700; }
.charts {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr));
  gap: 1.2rem 1.6rem; margin: 1rem 0;
}
.course {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: .4rem 1.6rem;
  margin: 1.2rem 0 1.8rem;
}
.course h3 { grid-column: 1 / -1; }
figure { margin: 0; min-width: 0; max-width: 26rem; }
figure svg { width: 100%; height: auto; display: block; overflow: visible; }
.swatch {
  display: inline-block; width: .75em; height: .75em; border-radius: .15em; margin-right: .4em;
  vertical-align: -.02em;
}
.legend {
  display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .3rem 0; padding: 0; list-style: none;
  font-size: .9rem;
}
details { margin: .6rem 0; }
summary { cursor: pointer; }
.cards {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1rem;
  margin-top: 1.2rem;
}
.card { border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; min-width: 0; }
.mention { display: flex; gap: .9rem; align-items: flex-start; margin-bottom: .7rem; }
.mention h3 { font-size: 1.1rem; overflow-wrap: anywhere; }
.mention p { margin: .2rem 0 0; font-size: .92rem; overflow-wrap: anywhere; }
.picture {
  flex: none; width: 4.6rem; height: 4.6rem; border-radius: .4rem; background: #ffffff;
  object-fit: contain;
}
.picture.small { width: 2.3rem; height: 2.3rem; border-radius: .25rem; }
.picture.none {
  background: none; border: 1px dashed var(--line); color: var(--muted); font-size: .68rem; line-height: 1.15;
  display: flex; align-items: center; justify-content: center; text-align: center; padding: .2rem;
}
.verdict { font-weight: 600; font-size: .9rem; }
.right { color: var(--right); } .wrong { color: var(--wrong); }
mark { background: var(--mark); color: inherit; border-radius: .2em; padding: 0 .15em; }
.ranking { list-style: none; margin: 0; padding: 0; font-size: .92rem; }
.ranking li {
  display: grid; grid-template-columns: minmax(1.3rem, auto) 2.3rem minmax(0, 1fr) auto;
  gap: .1rem .6rem; align-items: center;
  padding: .32rem .4rem; margin: 0 -.4rem; border-top: 1px solid var(--line);
}
.ranking li.gold { background: var(--raised); border-radius: .35rem; box-shadow: inset 3px 0 0 var(--right); }
.ranking .place { color: var(--muted); text-align: right; font-variant-numeric: tabular-nums; }
.ranking .entity { min-width: 0; line-height: 1.25; }
.ranking .attributes {
  display: block; color: var(--muted); font-size: .8rem;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis;
}
.ranking .score { text-align: right; font-variant-numeric: tabular-nums; line-height: 1.25; }
.ranking .score span { display: block; font-size: .8rem; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
@media print { body { max-width: none; padding: 0; } .card, figure { break-inside: avoid; } }
`;
