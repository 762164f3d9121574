import { build } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { type Options, resolveSettings } from "../options.ts";
import { type Features, isSparse, type Matrix, matrix } from "../tensor.ts";
import type { FeatureBlocks } from "./feature-blocks.ts";
import type { Classifier, Head } from "./head.ts";

const own = {
  root: {
    type: "choice",
    default: "off",
    of: ["auto", "on", "off"],
    about:
      "take the square root of each feature first (auto: both ways, weighted by what is held out, where settings are left open and dense features, none below 0, are divided by their length)",
  },
} as const;

/**
 * A head that may take square roots of features first, where these are averages of rectified maps: a few large ones then no
 * longer speak for all, and the inner product of rows of length 1 is that of Hellinger's distance (Perronnin, Sánchez and
 * Mensink 2010, doi:10.1007/978-3-642-15561-1_11). What is below 0 counts as 0. Whether that helps is for the rows to say:
 * on "auto" the probabilities are an average of both ways by weights proportional to exp(−total held-out loss), the
 * pseudo-BMA weights of Yao et al. 2018 (doi:10.1214/17-BA1091). Features read block by block are rooted where that is asked for.
 */
export function rooted(name: string, head: Head): Head {
  const options: Options = { ...head.options, ...own };
  const settle = (given: Readonly<Record<string, unknown>>) => {
    const { root, ...settings } = resolveSettings(name, options, given);
    return { root, settings };
  };
  return {
    ...head,
    options,
    async fit(features, labels, given, context) {
      const { root, settings } = settle(given);
      const onRoots = async () => rooting(await head.fit(roots(features), labels, settings, context));
      if (root === "on") return await onRoots();
      const plain = await head.fit(features, labels, settings, context);
      const isByAngle = (settings.normalise as unknown) === true;
      const isOpen = root === "auto" && plain.heldOutLoss !== undefined && isByAngle;
      return isOpen && !isSparse(features) && noneBelow0(features) ? averaged(plain, await onRoots()) : plain;
    },
    ...(head.fitBlocks &&
      ({
        async fitBlocks(source, labels, given, context) {
          const { root, settings } = settle(given);
          return root === "on"
            ? rooting(await head.fitBlocks!(rootsOfBlocks(source), labels, settings, context))
            : await head.fitBlocks!(source, labels, settings, context);
        },
      } satisfies Partial<Head>)),
  };
}

/** Weight below which a way is left out. */
const LEAST_WEIGHT = 0.02;

/** Probabilities of two classifiers, by weights from their losses on rows held out. */
function averaged(plain: Classifier, rooting: Classifier): Classifier {
  const share = 1 / (1 + Math.exp(rooting.heldOutLoss! - plain.heldOutLoss!));
  if (share < LEAST_WEIGHT) return plain;
  if (share > 1 - LEAST_WEIGHT) return rooting;
  const parts = [
    { weight: Math.fround(1 - share), fitted: plain },
    { weight: Math.fround(share), fitted: rooting },
  ] as const;
  const ofRoots = Object.entries(rooting.chosen).map(([name, value]) => [`${name} on roots`, value] as const);
  return {
    classes: plain.classes,
    chosen: {
      ...plain.chosen,
      ...Object.fromEntries(ofRoots.filter(([name]) => name !== "root on roots")),
      root: `weight ${share.toFixed(4)}`,
    },
    predict(features) {
      const [a, b] = parts.map(({ fitted }) => fitted.predict(features));
      const data = a!.data.map((p, i) => parts[0].weight * p + parts[1].weight * b!.data[i]!);
      return { ...a!, data };
    },
    append(graph: Graph, features: Value): Value {
      const b = build(graph);
      const [x, y] = parts.map(({ fitted, weight }) =>
        b.apply("Mul", [fitted.append(graph, features), weight]),
      );
      return b.apply("Add", [x!, y!]);
    },
  };
}

function rooting(fitted: Classifier): Classifier {
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
