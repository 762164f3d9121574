import type { Row } from "@graft-ml/core";
import type { ExtractedFeatures } from "../extract/index.ts";
import type { ReadingOptions, Source } from "./source.ts";

/** Both ways to a source's features, from how they are extracted: all in memory, or left on disk. */
export function extractedFrom(
  extract: (rows: readonly Row[], options: ReadingOptions) => Promise<ExtractedFeatures>,
): Pick<Source, "features"> & Required<Pick<Source, "stream">> {
  return {
    async features(rows, options = {}) {
      const extracted = await extract(rows, options);
      try {
        const { kept, skipped, computed, seconds } = extracted;
        return { features: await extracted.matrix(), kept, skipped, computed, seconds };
      } finally {
        await extracted.close();
      }
    },
    async stream(rows, options = {}) {
      const extracted = await extract(rows, options);
      const { kept, skipped, computed, seconds, rows: count, dimension } = extracted;
      const blocks = { rows: count, columns: dimension, blocks: extracted.blocks };
      return { blocks, kept, skipped, computed, seconds, close: extracted.close };
    },
  };
}
