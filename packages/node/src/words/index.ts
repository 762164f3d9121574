export { type CorpusFile, type CorpusOptions, corpusFiles, corpusTexts } from "./corpus.ts";
export { type Coverage, coverageOf, coverageSentence } from "./coverage.ts";
export { type Continued, type Embedded, type EmbedOptions, embed } from "./embed.ts";
export { readVectorsFile, writeVectorsFile } from "./vector-files.ts";
