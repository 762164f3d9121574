import { InputError } from "../errors.ts";
import { type Builder, build, emptyGraph, ints, modelOf } from "../ir/build.ts";
import type { Value } from "../ir/graph.ts";
import { int64 } from "../tensor.ts";
import type { Architecture } from "./architecture.ts";
import { blank, drawn } from "./blank.ts";
import { chosen } from "./chosen.ts";
import { tableOptions, tokenRows } from "./token-table.ts";

const options = {
  vocabulary: { type: "number", default: 8000, min: 8, max: 1_000_000, about: "tokens that are known" },
  ...tableOptions,
  length: { type: "number", default: 128, min: 4, max: 4096, about: "most tokens of a text" },
  width: { type: "number", default: 128, min: 4, max: 2048, about: "numbers a token has between layers" },
  depth: { type: "number", default: 4, min: 1, max: 48, about: "encoder blocks" },
  heads: { type: "number", default: 4, min: 1, max: 64, about: "attention heads; they share the width" },
  expansion: { type: "number", default: 4, min: 1, max: 8, about: "factor of the width inside a block" },
} as const;

/** Name of the table of token embeddings [vocabulary, width], which a language model's output is tied to. */
export const TOKEN_EMBEDDINGS = "embeddings.tokens.weight";

/**
 * An encoder of attention blocks (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762) with learned
 * positions and with the normalization before each part, which trains without long warm-up (Xiong et al.
 * 2020, https://arxiv.org/abs/2002.04745).
 */
export const transformerSmall: Architecture = {
  about: "an attention encoder with learned positions: learns the order of words, and from unlabelled texts",
  modality: "text",
  options,
  build(settings, random) {
    const { length, width, depth, heads, expansion, ...table } = chosen(
      "transformer-small",
      options,
      settings,
    );
    if (width % heads !== 0)
      throw new InputError(
        `transformer-small: ${heads} heads cannot share a width of ${width} evenly; take a divisor of it`,
      );
    const b = build(emptyGraph("transformer-small"));
    const ids = b.input("input_ids", "int64", ["batch", "sequence"]);
    const mask = b.input("attention_mask", "int64", ["batch", "sequence"]);
    const tokens = tokenRows(b, ids, TOKEN_EMBEDDINGS, { ...table, width });
    const places = b.constant(blank([length + 1, width]), "embeddings.positions.weight");
    // Tokens are counted from 1, on whichever side the padding is; 0 is the place of padding.
    const counted = b.apply("Mul", [b.apply("CumSum", [mask, int64([], [1])]), mask]);
    let x = b.apply(
      "Add",
      [tokens, b.apply("Gather", [places, counted], { axis: 0 })],
      {},
      { name: "embeddings.output" },
    );
    // [batch, 1, 1, sequence]: 0 for tokens, and so little for padding that it is never looked at
    const real = b.apply("Cast", [b.apply("Unsqueeze", [mask, ints([1, 2])])], { to: 1 });
    const hidden = b.apply("Mul", [b.apply("Sub", [1, real]), -1e9]);
    for (let block = 0; block < depth; block++) {
      const name = `layer.${block}`;
      const seen = attention(b, normalised(b, x, `${name}.attention.norm`, width), hidden, {
        name: `${name}.attention`,
        width,
        heads,
      });
      x = b.apply("Add", [x, seen]);
      const wide = dense(b, normalised(b, x, `${name}.norm`, width), `${name}.inner`, [
        width,
        width * expansion,
      ]);
      const narrow = dense(b, gelu(b, wide), `${name}.outer`, [width * expansion, width]);
      x = b.apply("Add", [x, narrow], {}, { name: `${name}.output` });
    }
    const output = normalised(b, x, "norm", width, "last_hidden_state");
    b.graph.outputs.push(Object.assign(output, { dtype: "float32", shape: ["batch", "sequence", width] }));
    return drawn(modelOf(b.graph), random);
  },
};

function attention(
  b: Builder,
  x: Value,
  hidden: Value,
  { name, width, heads }: { readonly name: string; readonly width: number; readonly heads: number },
): Value {
  const part = (which: string, perm: readonly number[]) => {
    const all = dense(b, x, `${name}.${which}`, [width, width]);
    return b.apply("Transpose", [b.apply("Reshape", [all, ints([0, 0, heads, width / heads])])], { perm });
  };
  const scores = b.apply("MatMul", [part("query", [0, 2, 1, 3]), part("key", [0, 2, 3, 1])]);
  const scaled = b.apply("Mul", [scores, 1 / Math.sqrt(width / heads)]);
  const weights = b.apply("Softmax", [b.apply("Add", [scaled, hidden])], { axis: -1 });
  const mixed = b.apply("MatMul", [weights, part("value", [0, 2, 1, 3])]);
  const joined = b.apply("Reshape", [
    b.apply("Transpose", [mixed], { perm: [0, 2, 1, 3] }),
    ints([0, 0, width]),
  ]);
  return dense(b, joined, `${name}.out`, [width, width]);
}

function dense(b: Builder, x: Value, name: string, shape: readonly [number, number]): Value {
  const product = b.apply(
    "MatMul",
    [x, b.constant(blank(shape), `${name}.weight`)],
    {},
    { name: `${name}.product` },
  );
  return b.apply("Add", [product, b.constant(blank([shape[1]]), `${name}.bias`)], {}, { name });
}

function normalised(b: Builder, x: Value, name: string, width: number, output = name): Value {
  const learnt = ["weight", "bias"].map((end) => b.constant(blank([width]), `${name}.${end}`));
  return b.apply("LayerNormalization", [x, ...learnt], { axis: -1 }, { name: output });
}

/** x·(1 + erf(x/√2))/2 (Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415). */
function gelu(b: Builder, x: Value): Value {
  const erf = b.apply("Erf", [b.apply("Mul", [x, Math.SQRT1_2])]);
  return b.apply("Mul", [b.apply("Mul", [x, b.apply("Add", [erf, 1])]), 0.5]);
}
