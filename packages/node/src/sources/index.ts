export {
  type ArchitectureChoice,
  type ArchitectureOptions,
  architectureOf,
  architectureSource,
  type OpenedArchitecture,
  openArchitecture,
  requireTexts,
} from "./architecture.ts";
export { type DefaultBackbone, defaultBackbones } from "./default-backbones.ts";
export { FRAMINGS, type Framing } from "./framing.ts";
export { openSource, openSources, type SourceOptions } from "./open.ts";
export type { ReadingOptions, Source, SourceFeatures } from "./source.ts";
export { builtinVectors, kindOf, namesVectors } from "./vectors.ts";
export { type Initialised, initialisedFrom } from "./weights.ts";
export { VECTOR_TRAININGS, type VectorsChoice, type VectorTraining } from "./word-table.ts";
