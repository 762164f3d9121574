import {
  fitTfidf,
  type Preprocessor,
  type Row,
  type Runtime,
  rawPixelTrunk,
  writeModel,
} from "@graft-ml/core";
import { extractFeatures } from "../extract/index.ts";
import { rawPixels } from "../images/index.ts";
import { textOf, tfidfPreprocessor } from "../texts/index.ts";
import { extractedFrom } from "./extracted.ts";
import type { ReadingOptions, Source } from "./source.ts";

/** Images as raw pixels: side and channels. */
const SIZE = 32;
const CHANNELS = 3;
/** Rows a run: the work of a row is small. */
const BATCH = 64;

const nothingPretrained = {
  spec: "none",
  sha256: null,
  commit: null,
  licence: null,
  layer: "",
  pooling: "auto",
  framing: "stated",
} as const;

/** The backbone "none" for images: pixels at 32 × 32. */
export function pixelSource({
  runtime,
  cache,
}: {
  readonly runtime: Runtime;
  readonly cache: string | null;
}): Source {
  const trunk = rawPixelTrunk({ size: SIZE, channels: CHANNELS });
  const preprocessor = rawPixels({ size: SIZE, channels: CHANNELS });
  return {
    ...nothingPretrained,
    name: `raw pixels ${SIZE} × ${SIZE}`,
    modality: "image",
    dimension: CHANNELS * SIZE * SIZE,
    trunk,
    preprocessor,
    batchSize: BATCH,
    notes: [],
    ...extractedFrom((rows, { onError = "fail", ...reading }) =>
      extractFeatures({
        rows,
        model: writeModel(trunk),
        preprocessor,
        runtime,
        modelHash: "none",
        layer: "pixels",
        cache,
        batchSize: BATCH,
        onError: onError === "skip" ? "skip" : "stop",
        ...reading,
      }),
    ),
  };
}

/** The backbone "none" for texts: TF-IDF of words and characters, its terms those of `training` alone. */
export function tfidfSource(training: readonly Row[]): Source {
  const tfidf = fitTfidf(
    training.flatMap(({ input }) => (input.kind === "text" && input.text.trim() !== "" ? [input.text] : [])),
  );
  const preprocessor: Preprocessor = tfidfPreprocessor(tfidf);
  return {
    ...nothingPretrained,
    name: "TF-IDF of words and characters",
    modality: "text",
    dimension: tfidf.size,
    trunk: tfidf.trunk(),
    preprocessor,
    batchSize: BATCH,
    notes: [],
    async features(rows, { onError = "fail", onProgress, signal }: ReadingOptions = {}) {
      const begin = performance.now();
      const kept: number[] = [];
      const skipped: string[] = [];
      const texts: string[] = [];
      for (const [i, { where, input }] of rows.entries()) {
        signal?.throwIfAborted();
        try {
          texts.push(textOf(input));
          kept.push(i);
        } catch (error) {
          const reason = `${where}: ${(error as Error).message}`;
          if (onError === "fail") throw Object.assign(error as Error, { message: reason });
          skipped.push(reason);
        }
      }
      const features = tfidf.transform(texts);
      onProgress?.(rows.length, rows.length);
      const seconds = (performance.now() - begin) / 1000;
      return { features, kept: Int32Array.from(kept), skipped, computed: kept.length, seconds };
    },
  };
}
