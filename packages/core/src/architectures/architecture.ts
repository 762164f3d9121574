import type { Model } from "../ir/graph.ts";
import type { Options } from "../options.ts";
import type { Random } from "../random.ts";

/** A network that can be trained from nothing. A new one is a file here and a line in the folder's index. */
export interface Architecture {
  readonly about: string;
  /**
   * What it takes: `pixel_values` [batch, channels, size, size], or `input_ids` and `attention_mask` [batch,
   * sequence].
   */
  readonly modality: "image" | "text";
  readonly options: Options;
  /**
   * The network with freshly drawn weights (see `initialise`) and a free batch. Its one output is `pooled`
   * [batch, D], or
   * `last_hidden_state` [batch, sequence, D]. The same settings and seed give the same bytes. Throws an InputError for
   * settings that do not fit each other.
   */
  build(settings: Readonly<Record<string, unknown>>, random: Random): Model;
}
