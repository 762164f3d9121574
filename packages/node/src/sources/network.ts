import {
  type FeatureModel,
  featureModel,
  InputError,
  type Model,
  type Pooling,
  type Preprocessor,
  type Runtime,
  readModel,
  writeModel,
} from "@graft-ml/core";
import type { Backbone } from "../backbones/index.ts";
import { extractFeatures } from "../extract/index.ts";
import { imagePreprocessor } from "../images/index.ts";
import { textPreprocessor } from "../texts/index.ts";
import { extractedFrom } from "./extracted.ts";
import { centreCropped, type Framing } from "./framing.ts";
import type { Source } from "./source.ts";

/** Where a network's features are taken, and what they go through. */
export interface NetworkSourceOptions {
  readonly backbone: Backbone;
  readonly runtime: Runtime;
  readonly layer: string | null;
  readonly pooling: Pooling;
  /** "crop" throws where the stated preprocessing keeps proportions already. */
  readonly framing?: Exclude<Framing, "auto">;
  readonly batchSize: number;
  /** Folder of the cache; null keeps nothing. */
  readonly cache: string | null;
  /** Tokens a text is cut to; by default what the network takes, 512 at most. */
  readonly maxLength?: number | null;
}

/** The source over a pretrained network. Throws an InputError where the layer gives no features. */
export function networkSource(options: NetworkSourceOptions): Source {
  const { layer, pooling, batchSize, runtime, cache, framing = "stated" } = options;
  const backbone = framing === "crop" ? cropped(options.backbone) : options.backbone;
  const made = featureModel(modelOf(backbone), { layer: layer ?? backbone.layer, pooling });
  const preprocessor = preprocessorOf(backbone, made, options.maxLength ?? null);
  let bytes: Uint8Array | null = null;
  return {
    spec: backbone.spec,
    name: backbone.name,
    modality: backbone.modality!,
    sha256: backbone.sha256,
    commit: backbone.commit,
    licence: backbone.licence?.id ?? null,
    layer: made.layer,
    pooling,
    framing,
    dimension: made.dimension,
    trunk: made.model,
    preprocessor,
    batchSize,
    notes: backbone.notes,
    ...extractedFrom((rows, { onError = "fail", ...reading }) => {
      bytes ??= writeModel(made.model);
      return extractFeatures({
        rows,
        model: bytes,
        preprocessor,
        runtime,
        modelHash: backbone.sha256!,
        layer: `${made.layer} ${made.pooling}`,
        cache,
        batchSize,
        onError: onError === "skip" ? "skip" : "stop",
        ...reading,
      });
    }),
  };
}

/** The network of a backbone; throws for "none". */
export function modelOf(backbone: Backbone): Model {
  if (backbone.model === null)
    throw new InputError(`backbone ${backbone.spec} has no network, so it has no layers`);
  return readModel(backbone.model, {
    source: backbone.path ?? backbone.spec,
    externalData: backbone.externalData,
  });
}

/** The backbone with its images cropped rather than squeezed. */
function cropped(backbone: Backbone): Backbone {
  const config = backbone.preprocessorConfig === null ? null : centreCropped(backbone.preprocessorConfig);
  if (config === null)
    throw new InputError(
      `backbone ${backbone.spec}: its preprocessing squeezes no image into a fixed size, so there is nothing to crop instead; leave out --framing`,
    );
  return { ...backbone, preprocessorConfig: config };
}

function preprocessorOf(
  backbone: Backbone,
  { inputs, layer }: FeatureModel,
  maxLength: number | null,
): Preprocessor {
  if (backbone.modality === "image") {
    const input = backbone.imageInput!;
    const fed = inputs.find(({ name }) => name === input.name);
    if (fed === undefined || inputs.length > 1)
      throw new InputError(
        `backbone ${backbone.spec}: layer "${layer}" needs the inputs ${inputs.map(({ name }) => name).join(", ") || "none"}; one image input was expected, so take another layer`,
      );
    return imagePreprocessor({
      config: backbone.preprocessorConfig!,
      input,
      dtype: fed.dtype as "float32",
    });
  }
  const extents = inputs.map(({ shape }) => shape?.[1]).filter((extent) => typeof extent === "number");
  return textPreprocessor({
    tokenizer: backbone.tokenizer,
    inputs,
    config: backbone.config,
    ...(maxLength === null ? {} : { maxLength }),
    ...(extents.length === 0 ? {} : { fixedLength: extents[0]! }),
  });
}
