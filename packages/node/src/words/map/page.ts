import { html, Markup } from "../../report/markup.ts";
import { POLICY } from "../../report/page.ts";
import { STYLE } from "../../report/style.ts";
import { LARGE, mapPicture, PICTURE_STYLE, type PictureSize } from "./picture.ts";
import type { Projection, WordMap } from "./word-map.ts";

/** Maps of one relation. */
const SMALL: PictureSize = { width: 520, height: 380 };

const MORE_STYLE = `
svg.words{max-width:none;width:100%;height:auto;min-width:680px}
.grid-2 svg.words{min-width:0}
.legend i{border-radius:2px;height:.2em;width:1.4em;vertical-align:middle}
${[0, 1, 2, 3, 4, 5].map((r) => `.legend .l${r}{background:var(--r${r})}`).join("\n")}
`;

/** The maps as one page that needs nothing beside itself: no network, no scripts. */
export function renderWordMap(
  map: WordMap,
  { title, about }: { readonly title: string; readonly about: string },
): string {
  const { pca, umap, each, missing } = map;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>Word map of ${title}</title>
${new Markup(`<style>${STYLE}${PICTURE_STYLE}${MORE_STYLE}</style>`)}
</head>
<body><main>
<header><h1>Word map of <bdi>${title}</bdi></h1><p class="fine">${about}</p></header>
<section><h2>Principal components</h2>${legend(pca)}
<div class="scroll">${mapPicture(pca, LARGE, "pca")}</div>
<p class="fine">The two directions in which these words differ most, which hold ${percent(pca.explained!)} of the variance. Pairs that differ alike have like arrows. ${trusted(pca)}</p></section>
<section><h2>UMAP</h2>${legend(umap)}
<div class="scroll">${mapPicture(umap, LARGE, "umap")}</div>
<p class="fine">Laid out so that neighbours stay neighbours; how far apart groups lie, and which way arrows point, means little here. ${trusted(umap)} Words without a label are told where the pointer rests on their dot.</p></section>
${each.length > 0 && html`<div class="grid-2">${each.map((one, k) => html`<section><h2>${one.relations[0]!.name}</h2>${mapPicture(recoloured(one, pca), SMALL, `each-${k}`)}<p class="fine">These ${one.words.length} words alone, by principal components: ${percent(one.explained!)} of their variance.</p></section>`)}</div>`}
${missing.length > 0 && html`<section><h2>No vector</h2><p>${missing.join(", ")}</p></section>`}
</main></body>
</html>
`;
  return page.text;
}

function legend({ relations }: Projection): Markup | false {
  return (
    relations.length > 1 &&
    html`<p class="legend words">${relations.map(({ name }, r) => html`<span><i class="l${r % 6}"></i>${name}</span>`)}</p>`
  );
}

function trusted({ trust }: Projection): string | null {
  return (
    trust &&
    `Of the ${trust.neighbours} nearest on the map: trustworthiness ${trust.share.toFixed(2)} (1 is perfect, ½ chance).`
  );
}

/** A relation keeps its colour where it stands alone. */
function recoloured(one: Projection, { relations }: Projection): Projection {
  const own = relations.findIndex(({ name }) => name === one.relations[0]!.name);
  const none = Array.from({ length: own }, () => ({ name: "", pairs: [] }));
  return { ...one, relations: [...none, ...one.relations] };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
