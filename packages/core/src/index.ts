export type * from "./architectures/architecture.ts";
export * as architectures from "./architectures/index.ts";
export { GIVEN_EMBEDDINGS } from "./architectures/token-table.ts";
export { TOKEN_EMBEDDINGS } from "./architectures/transformer-small.ts";
export { type Differentiated, type GradientOptions, gradients } from "./autodiff/gradients.ts";
export * from "./data/augment.ts";
export { type CheckReport, checkRows, type Evidence } from "./data/check.ts";
export type { ClassCount } from "./data/check-classes.ts";
export type { Duplicates } from "./data/check-duplicates.ts";
export type { ImageFacts } from "./data/check-images.ts";
export type * from "./data/dataset.ts";
export type { DataFinding, FindingExample } from "./data/finding.ts";
export { disjointSets, inputKeys, normalisedText, rowGroups } from "./data/identity.ts";
export * from "./data/natural.ts";
export { type NearGroup, type NearPair, nearGroups, nearKeys } from "./data/near.ts";
export { type ImagePrint, imagePrint, NEAR_IMAGE, nearImages, PRINT_SIDE } from "./data/near-images.ts";
export { comparableText, NEAR_TEXT, nearTexts } from "./data/near-texts.ts";
export * from "./data/parts.ts";
export type { Pixels, PixelWindow } from "./data/pixels.ts";
export * from "./data/safetensors.ts";
export * from "./data/split.ts";
export * from "./errors.ts";
export * from "./evaluate/index.ts";
export { freeBatch } from "./features/batch.ts";
export { cutAt } from "./features/cut.ts";
export * from "./features/feature-model.ts";
export * from "./features/layers.ts";
export type * from "./features/preprocess.ts";
export * from "./features/raw-pixels.ts";
export * from "./features/split.ts";
export * from "./features/tfidf.ts";
export { gatherTerms } from "./features/tfidf-graph.ts";
export * from "./features/word-mean.ts";
export * from "./heads/calibrate.ts";
export {
  type CandidateScore,
  type ChooseOptions,
  type ChosenHead,
  chooseHead,
  type HeadCandidate,
  headCandidates,
} from "./heads/choose.ts";
export type { FeatureBlocks } from "./heads/feature-blocks.ts";
export { type Fold, type FoldOptions, stratifiedFolds } from "./heads/folds.ts";
export type * from "./heads/head.ts";
export * as heads from "./heads/index.ts";
export * from "./ir/build.ts";
export { cloneGraph, cloneModel, type ValueMap } from "./ir/clone.ts";
export { firstDifference, firstGraphDifference } from "./ir/compare.ts";
export type * from "./ir/graph.ts";
export { join, joinModels } from "./ir/join.ts";
export { type MergedPart, mergeModels } from "./ir/merge.ts";
export { everyNode, irVersionFor, NEWEST_OPSET, opsetOf, raiseOpset } from "./ir/opset.ts";
export * from "./ir/order.ts";
export { printGraph, printModel, printShape } from "./ir/print.ts";
export { consumers, type PruneOptions, producers, prune, type Use } from "./ir/prune.ts";
export { type InferOptions, type Inferred, inferShapes } from "./ir/shapes.ts";
export { validate } from "./ir/validate.ts";
export * from "./metrics.ts";
export { type NpyHeader, npyHeader, readNpy, readNpyHeader, writeNpy } from "./npy.ts";
export { externalFiles } from "./onnx/external-files.ts";
export { type ReadModelOptions, readModel } from "./onnx/read.ts";
export { readTensor, writeTensor } from "./onnx/tensor.ts";
export { type ExternalModel, writeExternal, writeModel } from "./onnx/write.ts";
export { type Formula, formulas } from "./ops/formula.ts";
export {
  type Arena,
  arenaOf,
  type Numbers,
  type Slot,
  type Training,
  tensorAt,
  zerosFor,
} from "./optim/arena.ts";
export { clipNorm, clipValue, gradientNorm } from "./optim/clip.ts";
export * as optimizers from "./optim/index.ts";
export { initialState, type Moment, type Optimizer, type OptimizerState } from "./optim/optimizer.ts";
export * as schedules from "./optim/schedules.ts";
export * from "./options.ts";
export * from "./random.ts";
export * from "./runtime/ort.ts";
export type * from "./runtime/runtime.ts";
export * from "./spans.ts";
export { besideLinear } from "./taggers/beside-linear.ts";
export { calibratedTagger } from "./taggers/calibrate-tagger.ts";
export * from "./taggers/decode.ts";
export type { EncoderInput, EncoderOutput, TokenLayer, TokenMixer } from "./taggers/encoders/encoder.ts";
export * as taggerEncoders from "./taggers/encoders/index.ts";
export { type LinearFeatures, linearFeatures } from "./taggers/linear-features.ts";
export {
  type LinearTagger,
  type PerceptronOptions,
  type TaggedIds,
  trainPerceptron,
} from "./taggers/perceptron.ts";
export * from "./taggers/segment.ts";
export * from "./taggers/tag-batches.ts";
export * from "./taggers/tag-head.ts";
export * from "./taggers/tagger.ts";
export * from "./taggers/token-encoder.ts";
export * from "./taggers/train-tag-network.ts";
export * from "./taggers/train-tagger.ts";
export * from "./taggers/trunk.ts";
export * from "./tensor.ts";
export * from "./training/adapter-files.ts";
export * from "./training/batch-norms.ts";
export { blockOf } from "./training/block.ts";
export { initialise } from "./training/initialise.ts";
export type { Anchor } from "./training/l2-sp.ts";
export * from "./training/lora.ts";
export * from "./training/losses.ts";
export * from "./training/multitask/affinity.ts";
export type { TaskSampler } from "./training/multitask/samplers.ts";
export * as taskSamplers from "./training/multitask/samplers.ts";
export * from "./training/multitask/schedule.ts";
export * from "./training/multitask/train-tasks.ts";
export {
  innerProduct,
  type JointStep,
  type LossWeighting,
  type StepPart,
  sharedSlots,
  type WeightingMemory,
} from "./training/multitask/weighting.ts";
export * as lossWeightings from "./training/multitask/weightings/index.ts";
export { type Batch, batchesOf, type OrderOptions } from "./training/order.ts";
export * from "./training/parameters.ts";
export { type PlanOptions, planTraining, type TrainingPlan, withParameters } from "./training/plan.ts";
export * from "./training/progress.ts";
export * from "./training/rate-finder.ts";
export { type Parameters, readState, type TrainingState, writeState } from "./training/state.ts";
export { type StepEvent, type Trained, type TrainOptions, train } from "./training/train.ts";
export * from "./training/transfer-parameters.ts";
export { layerRates, unfreezingStages } from "./training/unfreezing.ts";
export { TOKEN_KINDS, type Tokenize, type TokenKind, wordTokenizer } from "./word-tokenizer.ts";
export { heldOutLoss, type MovedWord, movedWords, startFrom, type WordAnchor } from "./words/anchor.ts";
export type { ByteSource } from "./words/byte-reader.ts";
export type { BlockTrainer, EmbedTables } from "./words/embed-block.ts";
export { type EmbedJob, type EmbedModel, embedJob, embedModel, embedWorker } from "./words/embed-model.ts";
export { type EmbedSettings, embedOptions, startRate } from "./words/embed-options.ts";
export {
  type AnalogyScore,
  type AnalogySection,
  analogyScores,
  readAnalogies,
  readWordPairs,
  type SimilarityScore,
  similarityScore,
  type WordPair,
} from "./words/evaluate-vectors.ts";
export {
  ANALOGY_METHODS,
  type AnalogyMethod,
  analogyWords,
  nearestOfMany,
  nearestWords,
} from "./words/nearest.ts";
export { VECTOR_STORAGES, type VectorStorage } from "./words/npz-vectors.ts";
export { PairCounter, PHRASE_MARK, PhraseJoiner, phraseScore } from "./words/phrases.ts";
export { readWordVectors } from "./words/read-vectors.ts";
export type { ReadVectorsOptions, VectorsRead } from "./words/row-collector.ts";
export { type SubwordShape, type Subwords, subwordBuckets } from "./words/subwords.ts";
export { type Vocabulary, WordCounter } from "./words/vocabulary.ts";
export { type Neighbour, type WordIndex, wordIndex } from "./words/word-index.ts";
export { takeWords, type WordVectors, type WordVectorsParts, wordVectors } from "./words/word-vectors.ts";
export {
  VECTOR_FORMATS,
  type VectorFormat,
  vectorFormatOf,
  writeWordVectors,
} from "./words/write-vectors.ts";
