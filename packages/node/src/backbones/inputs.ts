import { type Graph, InputError, type Value } from "@graft-ml/core";
import type { ImageInput, Modality } from "./backbone.ts";

/** What a graph takes. */
export interface GraphInputs {
  readonly modality: Modality | null;
  readonly image: ImageInput | null;
  /** The inputs in words, as "pixel_values float32 [batch, 3, 224, 224]". */
  readonly described: string;
}

/** Tells from its inputs whether a graph takes images (rank 4) or token ids (whole numbers, rank 2). */
export function graphInputs(graph: Graph): GraphInputs {
  // Old files list initializers among the inputs.
  const inputs = graph.inputs.filter((input) => !graph.initializers.has(input));
  const described = inputs.map(describe).join(", ");
  const images = inputs.filter((input) => isPixel(input) && input.shape?.length === 4);
  const texts = inputs.filter((input) => isId(input) && input.shape?.length === 2);
  if (images.length === 1 && texts.length === 0) {
    return { modality: "image", image: imageInput(images[0]!), described };
  }
  return { modality: texts.length > 0 && images.length === 0 ? "text" : null, image: null, described };
}

/** Throws where the network does not take what the data are. */
export function requireModality(where: string, inputs: GraphInputs, wanted: Modality | undefined): void {
  if (wanted === undefined || wanted === inputs.modality) return;
  const takes = inputs.modality === null ? "neither images nor texts alone" : `${inputs.modality}s`;
  throw new InputError(
    `backbone ${where} takes ${takes} (${inputs.described}), but the data are ${wanted}s; choose a backbone for ${wanted}s`,
  );
}

function imageInput(value: Value): ImageInput {
  const extents = value.shape!.map((extent) => (typeof extent === "number" && extent > 0 ? extent : null));
  const [, second, third, fourth] = extents as [unknown, number | null, number | null, number | null];
  const isColour = (extent: number | null) => extent !== null && [1, 3, 4].includes(extent);
  // Channels first is what ONNX's operators want; last only where the shape says so.
  return isColour(fourth) && !isColour(second)
    ? { name: value.name, layout: "NHWC", channels: fourth, height: second, width: third }
    : { name: value.name, layout: "NCHW", channels: second, height: third, width: fourth };
}

function isPixel({ dtype }: Value): boolean {
  return dtype !== null && ["float32", "float64", "float16", "uint8"].includes(dtype);
}

function isId({ dtype }: Value): boolean {
  return dtype === "int64" || dtype === "int32";
}

function describe({ name, dtype, shape }: Value): string {
  const extents =
    shape === null ? "of unknown shape" : `[${shape.map((extent) => extent ?? "?").join(", ")}]`;
  return `${name} ${dtype ?? "of unknown type"} ${extents}`;
}
