import { build } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { type Options, resolveSettings } from "../options.ts";
import { type Features, isSparse, type Matrix, matrix } from "../tensor.ts";
import type { FeatureBlocks } from "./feature-blocks.ts";
import type { Classifier, Head } from "./head.ts";

const own = {
  root: {
    type: "choice",
    default: "auto",
    of: ["auto", "on", "off"],
    about:
      "take the square root of each feature first (auto: of dense features of which none is below 0, where rows are then divided by their length)",
  },
} as const;

/**
 * A head that takes square roots of features first, where these are averages of rectified maps: a few large ones then no
 * longer speak for all, and the inner product of rows of length 1 is that of Hellinger's distance (Perronnin, Sánchez and
 * Mensink 2010, doi:10.1007/978-3-642-15561-1_11). What is below 0 counts as 0.
 */
export function rooted(name: string, head: Head): Head {
  const options: Options = { ...head.options, ...own };
  const settle = (given: Readonly<Record<string, unknown>>) => {
    const { root, ...settings } = resolveSettings(name, options, given);
    const isByAngle = settings.normalise ?? settings.metric === "cosine";
    return { root: root === "auto" && !isByAngle ? "off" : root, settings };
  };
  return {
    ...head,
    options,
    async fit(features, labels, given, context) {
      const { root, settings } = settle(given);
      const isRooted = root === "on" || (root === "auto" && !isSparse(features) && noneBelow0(features));
      return isRooted
        ? onRoots(await head.fit(roots(features), labels, settings, context))
        : await head.fit(features, labels, settings, context);
    },
    ...(head.fitBlocks &&
      ({
        async fitBlocks(source, labels, given, context) {
          const { root, settings } = settle(given);
          const isRooted = root === "on" || (root === "auto" && (await noneBelow0InBlocks(source)));
          return isRooted
            ? onRoots(await head.fitBlocks!(rootsOfBlocks(source), labels, settings, context))
            : await head.fitBlocks!(source, labels, settings, context);
        },
      } satisfies Partial<Head>)),
  };
}

function onRoots(fitted: Classifier): Classifier {
  return {
    ...fitted,
    chosen: { ...fitted.chosen, root: "on" },
    predict: (features) => fitted.predict(roots(features)),
    append(graph: Graph, features: Value): Value {
      const b = build(graph);
      const root = b.apply("Sqrt", [b.apply("Relu", [features])], {}, { name: "roots" });
      return fitted.append(graph, root);
    },
  };
}

function roots(features: Features): Features {
  return isSparse(features)
    ? { ...features, values: rootsOf(features.values) }
    : matrix(features.rows, features.columns, rootsOf(features.data));
}

/** Numbers that are none stay so, and are refused where they were before. */
function rootsOf(values: Float32Array): Float32Array<ArrayBuffer> {
  const made = new Float32Array(values.length);
  for (let i = 0; i < made.length; i++) {
    const value = values[i]!;
    made[i] = value < 0 ? 0 : Math.sqrt(value);
  }
  return made;
}

function rootsOfBlocks(source: FeatureBlocks): FeatureBlocks {
  return {
    rows: source.rows,
    columns: source.columns,
    async *blocks(size) {
      for await (const block of source.blocks(size)) yield roots(block) as Matrix;
    },
  };
}

function noneBelow0({ data }: Matrix): boolean {
  for (let i = 0; i < data.length; i++) if (data[i]! < 0) return false;
  return true;
}

async function noneBelow0InBlocks(source: FeatureBlocks): Promise<boolean> {
  const size = Math.max(1, Math.floor(BLOCK_NUMBERS / source.columns));
  for await (const block of source.blocks(size)) if (!noneBelow0(block)) return false;
  return true;
}

/** Numbers of a block: 16 MB. */
const BLOCK_NUMBERS = 2 ** 22;
