import { build, emptyGraph, ints, modelOf } from "../ir/build.ts";
import type { Architecture } from "./architecture.ts";
import { blank, drawn } from "./blank.ts";
import { chosen } from "./chosen.ts";
import { tableOptions, tokenRows } from "./token-table.ts";

const options = {
  vocabulary: { type: "number", default: 8000, min: 8, max: 1_000_000, about: "tokens that are known" },
  width: { type: "number", default: 128, min: 4, max: 2048, about: "numbers a token's embedding has" },
  filters: { type: "number", default: 100, min: 1, max: 4096, about: "filters of each of the three lengths" },
  ...tableOptions,
} as const;

const WORDS = "embeddings.weight";
/** Tokens a filter sees. */
const LENGTHS = [3, 4, 5];

/**
 * Convolutions of three lengths over embeddings, and the strongest response of each filter (Kim 2014,
 * https://arxiv.org/abs/1408.5882), which are scaled by the root of their width so that they start as large as in the
 * paper. Padding changes nothing: it is zero on the way in and again before the maximum.
 */
export const textCnn: Architecture = {
  about: "filters over three, four and five tokens and their strongest responses: quick, for short texts",
  modality: "text",
  options,
  build(settings, random) {
    const { width, filters, ...table } = chosen("text-cnn", options, settings);
    const b = build(emptyGraph("text-cnn"));
    const ids = b.input("input_ids", "int64", ["batch", "sequence"]);
    const mask = b.input("attention_mask", "int64", ["batch", "sequence"]);
    const words = b.apply("Mul", [tokenRows(b, ids, WORDS, { ...table, width }), Math.sqrt(width)]);
    const real = b.apply("Cast", [mask], { to: 1 });
    const shown = b.apply("Mul", [words, b.apply("Unsqueeze", [real, ints([2])])]);
    const channels = b.apply("Transpose", [shown], { perm: [0, 2, 1] });
    const row = b.apply("Unsqueeze", [real, ints([1])]);
    const responses = LENGTHS.map((length, i) => {
      const name = `layer.${i}`;
      const weight = b.constant(blank([filters, width, length]), `${name}.weight`);
      const bias = b.constant(blank([filters]), `${name}.bias`);
      const before = Math.floor((length - 1) / 2);
      const map = b.apply(
        "Conv",
        [channels, weight, bias],
        { kernel_shape: [length], pads: [before, length - 1 - before] },
        { name },
      );
      // Rectified responses are never below zero, so a zero in the padding never wins.
      const counted = b.apply("Mul", [b.apply("Relu", [map]), row]);
      return b.apply("ReduceMax", [counted], { axes: [2], keepdims: 0 });
    });
    const rows = b.apply("Concat", responses, { axis: 1 }, { name: "pooled" });
    b.graph.outputs.push(
      Object.assign(rows, { dtype: "float32", shape: ["batch", LENGTHS.length * filters] }),
    );
    return drawn(modelOf(b.graph), random);
  },
};
