/** The style of every report page: one column beside a margin of headings; light, dark, paper and phone. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fcfcfb; --ink: #191d21; --quiet: #5d6770; --rule: #dfe2e4; --wash: #f1f2f2; --bar: #6c7781;
  --kept: #a9b1b8; --rest: #d3d8dc;
  --quantize-1: #86b6dc; --quantize-2: #2f79b5; --quantize-3: #17456f;
  --lowrank-1: #eeb25b; --lowrank-2: #d1761b; --lowrank-3: #8f4506;
  --residual-1: #7cc7ae; --residual-2: #1e8c6c; --residual-3: #0d5541;
  --other-1: #c5a6cf; --other-2: #8f5ba1; --other-3: #5a3069;
  --series-1: #17629f; --series-2: #b85c0a; --series-3: #14795c; --series-4: #8a4c9c; --series-5: #5d6770; --series-6: #a3324a;
  --limit: #a3324a; --good: #14795c; --bad: #a3324a; --chosen: #b02f6b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181a; --ink: #e4e7e9; --quiet: #97a1a9; --rule: #2c3236; --wash: #1e2326; --bar: #8b959d;
    --kept: #5c666e; --rest: #353c41;
    --quantize-1: #b4d6f0; --quantize-2: #5aa2dc; --quantize-3: #2f6da3;
    --lowrank-1: #f7cf92; --lowrank-2: #e59a45; --lowrank-3: #b06518;
    --residual-1: #a9e0ce; --residual-2: #45b592; --residual-3: #1f7d62;
    --other-1: #dcc6e4; --other-2: #b48ac4; --other-3: #84579a;
    --series-1: #6fb2e6; --series-2: #eda052; --series-3: #57c3a1; --series-4: #c49bd3; --series-5: #97a1a9; --series-6: #ec8a9c;
    --limit: #ec8a9c; --good: #57c3a1; --bad: #ec8a9c; --chosen: #f08ec0;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
main, header, footer { max-width: 1120px; margin: 0 auto; padding: 0 32px; }
header { padding-top: 56px; padding-bottom: 40px; }
.origin { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 4px 24px; color: var(--quiet); margin: 0 0 44px; max-width: none; }
.origin b { color: var(--ink); font-weight: 600; overflow-wrap: anywhere; }
h1 { font-size: clamp(24px, 1.1rem + 1.8vw, 36px); line-height: 1.24; letter-spacing: -0.014em; font-weight: 600; margin: 0; max-width: 27em; text-wrap: balance; overflow-wrap: anywhere; }
h1.long { font-size: clamp(20px, 1rem + 1vw, 27px); line-height: 1.3; max-width: 34em; }
section { display: grid; grid-template-columns: 148px minmax(0, 1fr); column-gap: 36px; padding: 28px 0 36px; border-top: 1px solid var(--rule); }
h2 { font-size: 15px; line-height: 1.55; font-weight: 600; margin: 0; }
h3 { font-size: 15px; font-weight: 600; margin: 28px 0 8px; }
.body > :first-child, h3:first-child { margin-top: 0; }
.body > :last-child { margin-bottom: 0; }
p, ul { margin: 0 0 12px; max-width: 68ch; }
ul { padding-left: 1.1em; }
.quiet, figcaption { color: var(--quiet); }
.good { color: var(--good); } .bad { color: var(--bad); }
a { color: inherit; text-underline-offset: 3px; }
code, pre, .name { font-family: ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: 13px; }
code { white-space: nowrap; }
pre code, dd code { white-space: inherit; }
.name { overflow-wrap: anywhere; }
pre { margin: 0; padding: 14px 16px; background: var(--wash); overflow-x: auto; line-height: 1.5; }
.repeat { position: relative; }
.repeat button { position: absolute; right: 8px; top: 8px; font: inherit; font-size: 13px; color: var(--quiet); background: var(--paper); border: 1px solid var(--rule); padding: 2px 10px; cursor: pointer; }
.repeat pre { padding-right: 84px; white-space: pre-wrap; overflow-wrap: anywhere; }

.sizes { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 10px 16px; align-items: center; margin: 0 0 16px; }
.sizes dt { color: var(--quiet); }
.sizes dd { margin: 0; display: flex; align-items: center; gap: 12px; white-space: nowrap; }
.stack { display: flex; height: 28px; flex: 0 1 auto; min-width: 2px; }
.stack.whole { width: 100%; margin-bottom: 16px; }
.stack span { display: block; min-width: 0; }
.figure { font-size: 19px; font-weight: 600; letter-spacing: -0.01em; flex: none; }
.figure small { font-size: 15px; font-weight: 400; color: var(--quiet); letter-spacing: 0; margin-left: 6px; }
.key { display: flex; flex-wrap: wrap; gap: 4px 22px; list-style: none; padding: 0; max-width: none; }
.key .quiet { margin-left: 4px; }
.swatch { display: inline-block; width: 10px; height: 10px; margin-right: 7px; }

.scroll { overflow-x: auto; overscroll-behavior-x: contain; margin: 0 0 16px; }
table { border-collapse: collapse; }
table.wide { min-width: 100%; }
.caption { color: var(--quiet); margin-bottom: 4px; }
th, td { text-align: left; vertical-align: baseline; padding: 7px 28px 7px 0; border-bottom: 1px solid var(--rule); }
th:last-child, td:last-child { padding-right: 0; }
thead th { font-weight: 400; color: var(--quiet); white-space: nowrap; }
tbody th { font-weight: 400; }
.number { text-align: right; white-space: nowrap; }
.fixed { white-space: nowrap; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
th button:hover { color: var(--ink); }
th button::after { display: inline-block; width: 1em; text-align: right; }
th[aria-sort] button { color: var(--ink); }
th[aria-sort="ascending"] button::after, th.number[aria-sort="ascending"] button::before { content: "↑"; }
th[aria-sort="descending"] button::after, th.number[aria-sort="descending"] button::before { content: "↓"; }
th.number button::after { display: none; }
th.number button::before { margin-right: 0.3em; }
.wide th:not(:last-child), .wide td:not(:last-child) { padding-right: 18px; }
td .name, th .name { display: block; min-width: 15ch; max-width: 36ch; }
td .rank { color: var(--quiet); }
td li .name { display: inline; }
td .quiet, th .quiet { display: block; max-width: 44ch; font-size: 13px; line-height: 1.4; }
td .fixed, th .fixed { white-space: nowrap; max-width: none; }
.shrink { display: block; position: relative; width: 56px; height: 10px; background: var(--rest); }
.shrink.bare { background: none; }
.shrink span { position: absolute; inset: 0 auto 0 0; }
.plain { list-style: none; padding: 0; margin: 0; }
details summary { cursor: pointer; }
td details { min-width: 24ch; max-width: 40ch; }
td details ul { list-style: none; padding: 4px 0 2px; margin: 0; font-size: 13px; color: var(--quiet); }
.past { text-decoration: line-through; text-decoration-thickness: 1px; }

.range { display: block; color: var(--quiet); font-size: 13px; line-height: 1.4; }
.mix { display: inline-block; min-width: 26ch; color: var(--quiet); font-size: 13px; }
td img { display: block; margin: 2px 0; max-width: 240px; max-height: 96px; background: #fff; }
.answer { white-space: pre-wrap; overflow-wrap: anywhere; }
figure { margin: 0 0 24px; }
figcaption { margin-top: 8px; max-width: 68ch; }
.plot { display: block; max-width: 100%; height: auto; font-size: 12px; overflow: visible; }
.plot + p { margin-top: 14px; }
.scroll .plot { max-width: none; }
.plot text { fill: var(--quiet); }
.plot text.value, .plot text.axis { fill: var(--ink); }
.plot .grid { stroke: var(--rule); }
.plot .base { stroke: var(--quiet); }
.plot .own { stroke: var(--ink); stroke-width: 1.5; }
.plot .line { fill: none; stroke: var(--ink); stroke-width: 1.75; stroke-linejoin: round; }
.plot .leading { stroke-width: 2.5; }
.plot .dot { stroke: var(--paper); stroke-width: 1; }
.plot .chosen { fill: none; stroke: var(--chosen); stroke-width: 2.25; }
.plot text.callout { fill: var(--ink); stroke: var(--paper); stroke-width: 4px; paint-order: stroke; font-weight: 600; }
.plot.sample { display: inline-block; vertical-align: middle; margin-right: 8px; }
.on-phone { display: none; }
.plot .kept { fill: var(--lowrank-1); opacity: 0.45; }
.plot .rank { stroke: var(--lowrank-2); stroke-width: 2; }
.plot .even { stroke: var(--quiet); stroke-dasharray: 2 3; }
.plot .front { fill: none; stroke: var(--quiet); stroke-width: 1.25; }
.plot .mark { fill: none; stroke-width: 1.75; }
.plot .before { fill: var(--rest); }
.plot .limit { stroke: var(--limit); stroke-dasharray: 5 4; }
.plot text.limit { fill: var(--limit); stroke: var(--paper); stroke-width: 4px; stroke-dasharray: none; paint-order: stroke; }
.plot .column:hover .hit { fill: var(--ink); fill-opacity: 0.06; }
.plot .hit { fill: transparent; }
.spectra { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 22px 28px; margin: 0 0 16px; padding: 0; list-style: none; max-width: none; }
.spectra li { min-width: 0; }
.spectra .name, .spectra .quiet { display: block; font-size: 13px; line-height: 1.4; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.spectra .plot { width: 100%; margin: 6px 0 2px; }
.pairs { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 24px; margin: 0; }
.pairs dt { color: var(--quiet); } .pairs dd { margin: 0; overflow-wrap: anywhere; }
.multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 250px), 1fr)); gap: 22px 28px; margin: 0 0 16px; padding: 0; list-style: none; max-width: none; }
.multiples .plot { width: 100%; }
footer { border-top: 1px solid var(--rule); padding-top: 20px; padding-bottom: 64px; color: var(--quiet); max-width: 1056px; padding-left: 0; padding-right: 0; }
:focus-visible { outline: 2px solid var(--series-1); outline-offset: 2px; }
@media (max-width: 1120px) { footer { margin: 0 32px; } }
@media (max-width: 760px) {
  main, header { padding-left: 20px; padding-right: 20px; }
  footer { margin: 0 20px; }
  header { padding-top: 28px; padding-bottom: 28px; }
  .origin { margin-bottom: 24px; }
  section { display: block; padding: 22px 0 28px; }
  h2 { margin-bottom: 12px; }
  .on-desk { display: none; } .on-phone { display: block; }
  .sizes { grid-template-columns: minmax(0, 1fr); gap: 4px; }
  .sizes dd { margin-bottom: 8px; flex-wrap: wrap; gap: 2px 12px; }
  .pairs { grid-template-columns: minmax(0, 1fr); gap: 0; } .pairs dd { margin-bottom: 10px; }
  /* Let the table's box reach the screen's edge, so that it shows that there is more. */
  .scroll { margin-right: -20px; padding-right: 20px; }
  th, td { padding-right: 18px; }
  td .name, th .name { max-width: 24ch; }
}
@media print { .repeat button { display: none; } section { break-inside: avoid-page; } .scroll { overflow: visible; } }
`;
