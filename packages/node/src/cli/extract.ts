import { InputError, writeModel } from "@graft-ml/core";
import { featureCache } from "../cache.ts";
import { extractFeatures } from "../extract/index.ts";
import { ortRuntime } from "../runtime/index.ts";
import { openSource } from "../sources/index.ts";
import { command, UsageError } from "./command.ts";
import {
  backboneFlags,
  backboneSettings,
  cacheFlags,
  dataFlags,
  progressOn,
  readData,
  runtimeFlags,
  runtimeSettings,
} from "./flags.ts";
import { warnLeftOut } from "./left-out.ts";

export const extract = command({
  about:
    "Writes the features [N, D] of DATA at one layer of a backbone: .npy shards or Parquet, rows.jsonl and, last, manifest.json.",
  operands: ["DATA"],
  options: {
    output: { type: "string", default: null, about: "folder to write (required)" },
    backbone: {
      type: "string",
      default: null,
      about: "an .onnx file, a folder, hf:owner/name, run:DIR, builtin:NAME, vectors:FILE or none (required)",
    },
    ...backboneFlags,
    format: { type: "choice", default: "npy", of: ["npy", "parquet"], about: "form of the feature files" },
    ...dataFlags,
    ...runtimeFlags,
    ...cacheFlags,
  },
  example: "graft extract photos/ --backbone models/mobilenet_v2 --output features/photos",
  async run({ operands, settings, terminal, signal }) {
    const { output, backbone, layer, pooling, framing, format } = settings;
    if (output === null) throw new UsageError("graft extract: --output is missing; name the folder to write");
    if (framing === "auto")
      throw new UsageError("graft extract: --framing auto needs labels to choose by; say stated or crop");
    if (backbone === null) throw new UsageError("graft extract: --backbone is missing");
    const dataset = await readData(operands[0]!, settings, { labels: "optional", signal });
    const modality = dataset.task === "image-classification" ? "image" : "text";
    if (backbone === "none" && modality === "text")
      throw new InputError(
        "TF-IDF features depend on the texts they are fitted to and are sparse; graft train fits and keeps them, extract needs a network",
      );
    const cache = settings.cache ? featureCache() : null;
    const runtime = await ortRuntime({ ...runtimeSettings(settings), throughput: true });
    try {
      const { batchSize, maxLength } = settings;
      const source = await openSource(backbone, {
        modality,
        runtime,
        training: [],
        layer,
        pooling,
        framing,
        batchSize,
        maxLength,
        backbone: backboneSettings(settings),
      });
      const extracted = await extractFeatures({
        rows: dataset.rows,
        model: writeModel(source.trunk),
        preprocessor: source.preprocessor,
        runtime,
        modelHash: source.sha256 ?? "none",
        layer: source.sha256 === null ? "pixels" : `${source.layer} ${source.pooling}`,
        cache,
        output,
        format,
        batchSize: source.batchSize,
        onError: settings.onError === "skip" ? "skip" : "stop",
        onProgress: (done, total) => progressOn(terminal)("extract", done, total),
        signal,
      });
      await extracted.close();
      const { rows, dimension, computed, seconds, itemsPerSecond } = extracted;
      const skipped = [...dataset.skipped, ...extracted.skipped];
      warnLeftOut(terminal, skipped);
      terminal.print(
        `${rows} rows × ${dimension} features of ${source.name}, ${source.layer || "raw"}, in ${output}: ${computed} computed, ${seconds.toFixed(1)} s, ${itemsPerSecond.toFixed(0)}/s`,
      );
      return {
        output,
        rows,
        dimension,
        layer: source.layer,
        computed,
        skipped: skipped.length,
        seconds,
        itemsPerSecond,
      };
    } finally {
      await runtime.close();
    }
  },
});
