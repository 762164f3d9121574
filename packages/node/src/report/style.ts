/** The page's only style sheet: system fonts, light and dark, one column on a phone. */
export const STYLE = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d8dee4;--page:#f6f8fa;--card:#fff;--ours:#0a6cbd;--bar:#a9b4c0;--wrong:#c8452d;--good:#14713d;--bad:#b3261e;--doubt:#7a5b00;--cell:#eef1f4}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa6b2;--line:#313a44;--page:#0d1117;--card:#161b22;--ours:#4ea1e8;--bar:#5a6673;--wrong:#f0765c;--good:#5bd089;--bad:#ff8a80;--doubt:#e3b341;--cell:#1f262e}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;overflow-wrap:anywhere}
main{max-width:1120px;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem}
h2{font-size:1.05rem;margin:0 0 .6rem}
main>h2,.grid+h2,section+h2{margin-top:1.6rem}
p{margin:.4rem 0}
.fine{color:var(--soft);font-size:.86rem}
.headline{font-size:1.2rem;line-height:1.45;margin:.8rem 0 0}
.verdict{display:inline-block;padding:.05em .5em;border-radius:1em;border:1px solid currentColor;font-size:.8em;font-weight:600;white-space:nowrap}
.helps{color:var(--good)}.hurts{color:var(--bad)}.doubt{color:var(--doubt)}
.grid-2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));gap:1rem;align-items:start}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem;margin:1rem 0 0;min-width:0}
.grid-2>section{margin:0}
.grid-2{margin-top:1rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--soft);font-size:.84rem}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;padding-right:.2rem;padding-left:.8rem}
tr:last-child td{border-bottom:0}
tr.chosen td{font-weight:600}
td small{display:block;color:var(--soft);line-height:1.35}
td.name{min-width:7rem}
th,td{overflow-wrap:break-word}
td:first-child>.fine{white-space:nowrap}
h3{font-size:.95rem;margin:1rem 0 .3rem}
svg{display:block;width:100%;height:auto;max-width:640px;margin:0 auto;font-size:13px;fill:var(--ink)}
svg.fixed{width:auto;max-width:none;margin:0}
svg .grid{stroke:var(--line)}
svg .tick{fill:var(--soft);font-size:12px}
svg .label{fill:var(--soft)}
svg .strong{font-weight:600}
svg .bar{fill:var(--bar)}svg .ours{fill:var(--ours)}
svg .whisker{stroke:var(--ink);stroke-width:1.6;fill:none}
svg .ideal{stroke:var(--soft);stroke-dasharray:4 4}
svg .line{fill:none;stroke-width:2;stroke-linejoin:round}
svg .cross{fill:none;stroke-width:2.6}
svg .empty{fill:var(--cell)}svg .right{fill:var(--ours)}svg .wrong{fill:var(--wrong)}
svg .count{fill:var(--ink)}svg .count.dark{fill:#fff}
.legend span{display:inline-block;margin-right:.9rem;font-size:.88rem}
.legend i{display:inline-block;width:.75em;height:.75em;border-radius:50%;margin-right:.35em}
.errors{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,10.5rem),1fr));gap:.8rem;list-style:none;padding:0;margin:.6rem 0 0}
.errors.texts{grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr))}
.errors li{border:1px solid var(--line);border-radius:8px;padding:.6rem;font-size:.88rem;min-width:0}
.errors img{display:block;width:100%;height:8.5rem;object-fit:contain;background:var(--cell);border-radius:5px;margin-bottom:.4rem}
.errors q{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:6;overflow:hidden;font-size:.95rem;quotes:none;margin-bottom:.4rem;white-space:pre-line}
.told{color:var(--bad)}
pre{background:var(--cell);border-radius:6px;padding:.7rem;overflow-x:auto;margin:.4rem 0;font-size:.86rem;white-space:pre-wrap}
details>summary{cursor:pointer;color:var(--soft);font-size:.9rem}
.findings{padding-left:1.1rem;margin:.2rem 0}
.findings .problem{color:var(--bad)}
@media(max-width:30rem){main{padding:1rem .6rem 3rem}section{padding:.8rem}h1{font-size:1.25rem}.headline{font-size:1.08rem}.errors:not(.texts){grid-template-columns:repeat(2,1fr)}}
@media print{section{break-inside:avoid}}
`;
