export { renderWordMap } from "./page.ts";
export { mapFile, type PictureSize } from "./picture.ts";
export { type Relation, readRelations, wellKnownRelations } from "./relations.ts";
export { type Projection, type WordMap, type WordMapOptions, wordMap } from "./word-map.ts";
