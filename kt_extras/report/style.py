"""How the page looks: one column of pictures in a narrow window, two in a wide one."""

CSS = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1d2329; --soft: #5b6670; --line: #d9dee3; --box: #f4f6f8;
  --accent: #0072b2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181c; --ink: #e4e8ec; --soft: #9aa5b0; --line: #363e46; --box: #1e242a;
    --accent: #56b4e9;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 82rem; padding: 1.25rem clamp(0.9rem, 3vw, 2.5rem) 3rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere;
}
h1 { font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; margin: 0 0 0.3rem; }
h2 { font-size: 1.35rem; margin: 2.6rem 0 0.6rem; padding-bottom: 0.25rem;
  border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.6rem 0 0.4rem; }
p, ul { max-width: 48rem; margin: 0.5rem 0; }
ul { padding-left: 1.2rem; }
a { color: var(--accent); }
.note { color: var(--soft); font-size: 0.9rem; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.1rem 1.1rem; padding: 0; list-style: none;
  max-width: none; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 0.7rem;
  padding: 0; margin: 1.1rem 0; list-style: none; max-width: none; }
.cards li { background: var(--box); border-radius: 0.5rem; padding: 0.6rem 0.85rem; }
.cards strong { display: block; font-size: 1.3rem; line-height: 1.3;
  font-variant-numeric: tabular-nums; }
.cards span { color: var(--soft); font-size: 0.85rem; }
.pictures { display: grid; gap: 1rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); }
figure { margin: 0.6rem 0; min-width: 0; }
figure svg { display: block; width: 100%; height: auto; max-width: 44rem; }
figure.wide { overflow-x: auto; }
figure.wide svg { min-width: 46rem; max-width: 72rem; }
figcaption { color: var(--soft); font-size: 0.88rem; max-width: 44rem; }
.scroll { overflow-x: auto; margin: 0.7rem 0; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: 0.88rem; padding: 0.2rem 0; }
th, td { padding: 0.3rem 0.8rem 0.3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); overflow-wrap: normal; }
td { min-width: 4.2rem; max-width: 28rem; overflow-wrap: break-word; }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 600; }
.number { text-align: right; white-space: nowrap; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: 0.15rem 1.1rem;
  margin: 0.7rem 0; }
dt { color: var(--soft); }
dd { margin: 0; }
pre { background: var(--box); border-radius: 0.5rem; padding: 0.75rem 0.9rem; overflow-x: auto;
  font: 0.86rem/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  overflow-wrap: normal; }
details { margin: 0.5rem 0; }
summary { cursor: pointer; }
footer { margin-top: 3rem; color: var(--soft); font-size: 0.85rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media print { figure, table { break-inside: avoid; } }
"""
