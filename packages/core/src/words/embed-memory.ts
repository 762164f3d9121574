import { InputError } from "../errors.ts";
import { contextsOf, scratchLayout, strideOf } from "./embed-kernel.ts";
import type { EmbedSettings } from "./embed-options.ts";

/** Bytes a thread has for records that are not worked off yet. */
const RECORD_BYTES = 2 ** 19;

/** Where training has what in its memory, in bytes; rows of `stride` bytes each. */
export interface EmbedLayout {
  readonly stride: number;
  readonly threads: number;
  /** Each thread's own memory, and within it the records. */
  readonly scratch: (thread: number) => number;
  readonly records: number;
  readonly recordBytes: number;
  /** Rows of words [V], then of character sequences [buckets]. */
  readonly inputs: number;
  readonly inputRows: number;
  /** Rows of words as they are predicted [V, none without noise words], then of the tree's nodes [V − 1]. */
  readonly outputs: number;
  readonly outputRows: number;
  readonly pages: number;
}

/** The layout for `words` words. Throws an InputError where it is more than WebAssembly's 4 GiB. */
export function embedLayout(words: number, settings: EmbedSettings, threads: number): EmbedLayout {
  const { dim, window, negative, hierarchical, subwords, buckets } = settings;
  const stride = strideOf(dim);
  const { records } = scratchLayout(stride, contextsOf(window));
  const own = Math.ceil((records + RECORD_BYTES) / 64) * 64;
  const inputs = threads * own;
  const inputRows = words + (subwords ? buckets : 0);
  const outputs = inputs + inputRows * stride;
  const outputRows = (negative > 0 ? words : 0) + (hierarchical ? Math.max(1, words - 1) : 0);
  const pages = Math.ceil((outputs + outputRows * stride) / 65_536);
  if (pages > 65_535)
    throw new InputError(
      `${words} words × ${dim} need ${(pages / 16_384).toFixed(1)} GiB to be trained, and there are 4 at most; raise --min-count, or lower --dim, --max-words or --buckets`,
    );
  return {
    stride,
    threads,
    scratch: (thread) => thread * own,
    records,
    recordBytes: RECORD_BYTES,
    inputs,
    inputRows,
    outputs,
    outputRows,
    pages,
  };
}
