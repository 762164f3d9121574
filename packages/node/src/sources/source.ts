import type { FeatureBlocks, Features, Model, Pooling, Preprocessor, Row } from "@graft-ml/core";
import type { Modality } from "../backbones/index.ts";
import type { Framing } from "./framing.ts";

/** A backbone up to one layer, with what feeds it: from rows to features [N, D]. */
export interface Source {
  /** The backbone as the user named it. */
  readonly spec: string;
  /** For people: "owner/name", "mobilenet_v2", "raw pixels". */
  readonly name: string;
  readonly modality: Modality;
  /** Hash of the whole network's file; null where there is no pretrained network. */
  readonly sha256: string | null;
  readonly commit: string | null;
  readonly licence: string | null;
  /** The value the features are made of; empty where there is no network. */
  readonly layer: string;
  readonly pooling: Pooling;
  /** "crop" where images are framed otherwise than the backbone's files state. */
  readonly framing: Exclude<Framing, "auto">;
  /** D. */
  readonly dimension: number;
  /** The network up to the layer, pooled: one output, `features` [batch, D]. */
  readonly trunk: Model;
  readonly preprocessor: Preprocessor;
  /** Rows a run of the network. */
  readonly batchSize: number;
  readonly notes: readonly string[];
  /** Features [N, D] of rows, from the cache where they lie there. */
  features(rows: readonly Row[], options?: ReadingOptions): Promise<SourceFeatures>;
  /** The same left on disk, for sets that do not fit in memory; a source of sparse features has none. */
  stream?(rows: readonly Row[], options?: ReadingOptions): Promise<StreamedFeatures>;
}

/** How rows are gone through. */
export interface ReadingOptions {
  /** At a row whose input cannot be read: stop with an InputError that names it, or leave it out and list it. */
  readonly onError?: "fail" | "skip";
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Features of the rows that could be read. */
export interface SourceFeatures extends RowsRead {
  readonly features: Features;
}

/** The same on disk, until they are closed. */
export interface StreamedFeatures extends RowsRead {
  readonly blocks: FeatureBlocks;
  close(): Promise<void>;
}

/** What became of the rows. */
export interface RowsRead {
  /** Row numbers kept, ascending. */
  readonly kept: Int32Array;
  readonly skipped: readonly string[];
  /** Rows that went through the network now, and were not in the cache. */
  readonly computed: number;
  readonly seconds: number;
}
