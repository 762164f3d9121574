export type {
  Assumption,
  Backbone,
  BackboneOptions,
  ImageInput,
  Licence,
  Modality,
  TokenizerFiles,
} from "./backbone.ts";
export type { Json, JsonObject } from "./json.ts";
export { assumptions } from "./pixels.ts";
export { resolveBackbone } from "./resolve.ts";
