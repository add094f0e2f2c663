/** Style sheet of the reports. Plots use its variables, so that they follow the light or dark scheme. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --faint: #5d6670; --line: #d5dae0; --shade: #f4f6f8;
  --mark: #2563ab; --other: #b35900; --good: #1a7f37; --bad: #c4232d; --warn: #8a6100;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181d; --ink: #e4e8ec; --faint: #9aa5b1; --line: #39414a; --shade: #1d232a;
    --mark: #6cb0f5; --other: #f0a04b; --good: #4cc26a; --bad: #ff7b82; --warn: #e0b34d;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
.summary, footer, .note { color: var(--faint); }
nav a { margin-right: .8rem; }
a { color: var(--mark); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92em; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: break-word; }
th { color: var(--faint); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
figure { margin: .6rem 0 1.2rem; break-inside: avoid; }
figcaption { color: var(--faint); font-size: .92em; margin-bottom: .3rem; }
figure svg { max-width: 100%; height: auto; overflow: visible; --plot-background: var(--paper); }
pre { background: var(--shade); padding: .8rem; overflow-x: auto; font-size: .85em; line-height: 1.4; }
code { font-size: .92em; overflow-wrap: anywhere; }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: .5rem; font-size: .9em; }
@media print {
  :root { color-scheme: light; --paper: #fff; --ink: #000; --faint: #444; --line: #bbb; --shade: #fff;
    --mark: #2563ab; --other: #b35900; --good: #1a7f37; --bad: #c4232d; --warn: #8a6100; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  tr, figure { break-inside: avoid; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  .scroll { overflow: visible; }
  details::details-content { content-visibility: visible; display: block; }
}
`;
