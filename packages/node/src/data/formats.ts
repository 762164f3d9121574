// Every way data lie in files, a line each; the export's name is the format's.
export { classFolders } from "./class-folders.ts";
export { conll } from "./conll.ts";
export { conllu } from "./conllu.ts";
export { csv } from "./csv.ts";
export { idx } from "./idx.ts";
export { jsonl } from "./jsonl.ts";
export { labelledLines, lines } from "./labelled-lines.ts";
export { parquet } from "./parquet.ts";
export { tokensJsonl } from "./tokens-jsonl.ts";
