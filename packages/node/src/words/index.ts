export { type CorpusFile, type CorpusOptions, corpusFiles, corpusTexts } from "./corpus.ts";
export { type Coverage, coverageOf, coverageSentence } from "./coverage.ts";
export { type Continued, type Embedded, type EmbedOptions, embed } from "./embed.ts";
export {
  mapFile,
  type PictureSize,
  type Projection,
  type Relation,
  readRelations,
  renderWordMap,
  type WordMap,
  type WordMapOptions,
  wellKnownRelations,
  wordMap,
} from "./map/index.ts";
export { readVectorsFile, writeVectorsFile } from "./vector-files.ts";
