import type { LoadOptions } from "@graft-ml/core";
import type { HubSettings } from "../hub/index.ts";
import type { JsonObject } from "./json.ts";

export type Modality = "image" | "text";

/** A pretrained network with all that is needed to feed it, read and checked. Nothing of it runs code. */
export interface Backbone {
  /** As the user named it: "hf:owner/name", "models/resnet.onnx", "none". */
  readonly spec: string;
  /** For people: "owner/name", "resnet", "none". */
  readonly name: string;
  /** What it takes; null where the graph takes neither images nor texts, and for "none" unless one was asked for. */
  readonly modality: Modality | null;
  /** The bytes of the model file; null for "none". */
  readonly model: Uint8Array | null;
  /** Files the model refers to, by location. */
  readonly externalData: NonNullable<LoadOptions["externalData"]>;
  /**
   * Of the model file, as `sha256sum` prints it; where tensors lie in other files, of the lines "<sha256>
   * <file>" for the model file and then each other one by name. Null for "none".
   */
  readonly sha256: string | null;
  /** How the graph takes images; null for other modalities. */
  readonly imageInput: ImageInput | null;
  /** config.json; null where there is none. */
  readonly config: JsonObject | null;
  /** preprocessor_config.json, or what was assumed in its place (see `notes`); null for texts and "none". */
  readonly preprocessorConfig: JsonObject | null;
  readonly tokenizer: TokenizerFiles | null;
  /** Where features are taken: of a `run:`, the layer that run took them from; otherwise null, still to be chosen. */
  readonly layer: string | null;
  /** The model file on disk; null for "none". */
  readonly path: string | null;
  /** Commit of a repository of the hub. */
  readonly commit: string | null;
  readonly licence: Licence | null;
  /** What people should know before they trust the results: assumptions, licence limits, what the hub said. */
  readonly notes: readonly string[];
}

/** The input of a graph that takes images. Null extents are free. */
export interface ImageInput {
  readonly name: string;
  /** [N, channels, height, width] or [N, height, width, channels]. */
  readonly layout: "NCHW" | "NHWC";
  readonly channels: number | null;
  readonly height: number | null;
  readonly width: number | null;
}

export interface TokenizerFiles {
  /** tokenizer.json */
  readonly json: JsonObject;
  /** tokenizer_config.json; null where there is none. */
  readonly config: JsonObject | null;
}

/** What the files beside the model state of its licence; Graft reads it and judges nothing. */
export interface Licence {
  /** The identifier the model card states, as "apache-2.0"; null where only a text is there. */
  readonly id: string | null;
  /** The file that states it. */
  readonly file: string;
  /** The beginning of what it says. */
  readonly text: string;
}

export interface BackboneOptions {
  /** What the data are; a network that takes something else is refused. */
  readonly modality?: Modality;
  /** Folder of the hub's cache; by default as HF_HUB_CACHE and HF_HOME say. */
  readonly cacheDir?: string;
  /** Asks nothing of the network; by default as HF_HUB_OFFLINE says. */
  readonly offline?: boolean;
  /** Asks the hub for a branch's newest commit although the cache has one. */
  readonly refresh?: boolean;
  /**
   * How pixels are scaled where neither preprocessor_config.json nor config.json says so; see `assumptions`.
   * Left out, a model without that statement is refused.
   */
  readonly assume?: Assumption;
  readonly onProgress?: (task: string, done: number, total: number) => void;
  readonly signal?: AbortSignal;
  /** Further settings of the hub's client. */
  readonly hub?: Partial<HubSettings>;
}

export type Assumption = "imagenet" | "symmetric" | "unit" | "bytes";
