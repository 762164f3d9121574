export { type Checkpoints, checkpointsIn } from "./checkpoints.ts";
export { type FineTuned, fineTune } from "./fine-tune.ts";
export {
  type FineTuneSettings,
  fineTuneOptions,
  isSmall,
  METHODS,
  type Method,
  methodAbout,
} from "./methods.ts";
export { type TrainedParts, trainedParts } from "./network.ts";
export {
  decodedInputs,
  type FrozenOptions,
  FrozenTooLarge,
  frozenInputs,
  type RowInputs,
  type RowInputsOptions,
} from "./row-inputs.ts";
export type { Trial } from "./trials.ts";
export type { FineTuneOptions } from "./work.ts";
