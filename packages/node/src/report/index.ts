export { type CardOptions, renderModelCard } from "./card.ts";
export type * from "./data.ts";
export { startsFromNothing } from "./headline.ts";
export { renderReport } from "./page.ts";
