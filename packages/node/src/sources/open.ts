import { InputError, listLayers, type Pooling, type Row, type Runtime } from "@graft-ml/core";
import { type BackboneOptions, type Modality, resolveBackbone } from "../backbones/index.ts";
import type { JsonObject } from "../backbones/json.ts";
import { batchOf } from "../extract/index.ts";
import { centreCropped, type Framing } from "./framing.ts";
import { modelOf, networkSource } from "./network.ts";
import { pixelSource, tfidfSource } from "./raw.ts";
import type { Source } from "./source.ts";
import { namesVectors, vectorSources } from "./vectors.ts";

/** What a source is opened with. */
export interface SourceOptions {
  readonly modality: Modality;
  readonly runtime: Runtime;
  /** Rows that TF-IDF takes its terms from: the training part, and nothing else. */
  readonly training: readonly Row[];
  /** A layer's name; the penultimate representation where left out. */
  readonly layer?: string | null;
  readonly pooling?: Pooling;
  /** Which part of an image is seen, as stated where left out. */
  readonly framing?: Framing;
  /** Rows a run of the network, `batchOf` where left out. */
  readonly batchSize?: number | null;
  /** Folder of the cache for features; null keeps nothing. */
  readonly cache?: string | null;
  readonly maxLength?: number | null;
  /** Further settings of finding the backbone. */
  readonly backbone?: Omit<BackboneOptions, "modality">;
}

/** Layers compared where the choice is left open: the default one and others spread over the depth. */
const COMPARED = 5;

/** A source from a backbone's spec. Throws an InputError where the backbone does not fit the data. */
export async function openSource(spec: string, options: SourceOptions): Promise<Source> {
  const { framing } = options;
  const one = framing === "auto" ? { ...options, framing: "stated" as const } : options;
  const [source] = await open(spec, one, [options.layer ?? null]);
  return source!;
}

/**
 * The sources to choose from for a spec: one, or with the layer "auto" up to five over the depth of the
 * network, its default layer first; with the framing "auto" each of them with the stated framing and with a
 * crop, stated ones first.
 */
export async function openSources(spec: string, options: SourceOptions): Promise<Source[]> {
  return await open(spec, options, options.layer === "auto" ? "auto" : [options.layer ?? null]);
}

async function open(
  spec: string,
  options: SourceOptions,
  layers: readonly (string | null)[] | "auto",
): Promise<Source[]> {
  const { modality, runtime, cache = null, pooling = "auto", maxLength = null } = options;
  if (spec === "none") {
    if (options.framing === "crop")
      throw new InputError('framing "crop": the backbone "none" has no stated framing; leave out --framing');
    const named = layers !== "auto" && layers[0] !== null;
    if (named)
      throw new InputError(
        `layer "${layers[0]}": the backbone "none" has no layers; leave out --layer or name a network`,
      );
    return [modality === "image" ? pixelSource({ runtime, cache }) : tfidfSource(options.training)];
  }
  if (namesVectors(spec)) {
    if (modality !== "text")
      throw new InputError(`backbone ${spec}: word vectors are for texts, and the data are images`);
    const layer = layers === "auto" ? null : layers[0]!;
    return await vectorSources(spec, layer, { training: options.training, runtime, cache });
  }
  const backbone = await resolveBackbone(spec, { ...options.backbone, modality });
  const framings = framingsOf(options.framing ?? "stated", backbone.preprocessorConfig);
  const batchSize = options.batchSize ?? batchOf(modality);
  const network = { backbone, runtime, cache, pooling, maxLength, batchSize };
  if (layers !== "auto")
    return framings.flatMap((framing) =>
      layers.map((layer) => networkSource({ ...network, layer, framing })),
    );
  const spreadLayers = spread(modelOf(backbone));
  return framings.flatMap((framing) =>
    spreadLayers.flatMap((layer) => {
      try {
        return [networkSource({ ...network, layer, framing })];
      } catch (error) {
        // Of layers nobody named, one that gives no rows is simply no candidate.
        if (layer === null || !(error instanceof InputError)) throw error;
        return [];
      }
    }),
  );
}

/** The framings to open; where nothing would be squeezed, "auto" is what is stated. */
function framingsOf(framing: Framing, config: JsonObject | null): Exclude<Framing, "auto">[] {
  if (framing !== "auto") return [framing];
  return config === null || centreCropped(config) === null ? ["stated"] : ["stated", "crop"];
}

/** The default layer (null), then layers at even depths before it, of those that end a block. */
function spread(model: ReturnType<typeof modelOf>): (string | null)[] {
  const layers = listLayers(model);
  const last = layers.findIndex((layer) => layer.default);
  const ends = layers
    .slice(0, Math.max(0, last))
    .filter(({ operator, shape }) => BLOCK_END.test(operator) && shape.length >= 2);
  const count = Math.min(COMPARED - 1, ends.length);
  const chosen = Array.from({ length: count }, (_, k) => {
    // From a third of the depth on: what lies before is edges and colours.
    const depth = 1 / 3 + ((k + 1) / (count + 1)) * (2 / 3);
    return ends[Math.min(ends.length - 1, Math.floor(depth * ends.length))]!.name;
  });
  return [null, ...new Set(chosen.toReversed())];
}

/** What ends a block of a network: an activation, a residual sum, a normalisation. */
const BLOCK_END =
  /^(Relu|Clip|LeakyRelu|PRelu|HardSwish|Gelu|Add|LayerNormalization|Concat|com\.microsoft\.SkipLayerNormalization)$/;
