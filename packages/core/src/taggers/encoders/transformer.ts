import { InputError } from "../../errors.ts";
import { ints } from "../../ir/build.ts";
import type { Value } from "../../ir/graph.ts";
import { resolveSettings } from "../../options.ts";
import { dense, normalised, type Weights } from "../weights.ts";
import type { TokenLayer, TokenMixer } from "./encoder.ts";

const options = {
  width: { type: "number", default: 128, min: 4, max: 2048, about: "numbers a state has" },
  layers: { type: "number", default: 2, min: 1, max: 12, about: "layers" },
  heads: { type: "number", default: 4, min: 1, max: 64, about: "attention heads" },
  expansion: { type: "number", default: 2, min: 1, max: 8, about: "factor by which a layer widens inside" },
} as const;

/**
 * A transformer encoder with normalization before each part (Vaswani et al. 2017,
 * https://arxiv.org/abs/1706.03762; Xiong et al. 2020). Places are a convolution over three tokens, so that a
 * sentence may have any length.
 */
export const transformer: TokenMixer = {
  about: "self-attention: for much data",
  options,
  append(weights, { tokens, width: from, mask }, settings, keep) {
    const { width, layers, heads, expansion } = resolveSettings("transformer", options, settings);
    if (width % heads !== 0)
      throw new InputError(`transformer: ${heads} heads cannot share a width of ${width}; choose a divisor`);
    const { builder } = weights;
    const entered = builder.apply("Mul", [dense(weights, tokens, "encoder.entry", from, width), mask]);
    const channels = builder.apply("Transpose", [entered], { perm: [0, 2, 1] });
    const near = builder.apply(
      "Conv",
      [
        channels,
        weights.normal("encoder.places.weight", [width, 1, 3], 0.4),
        weights.constant("encoder.places.bias", [width], 0),
      ],
      { kernel_shape: [3], pads: [1, 1], group: width },
    );
    let x = builder.apply("Add", [entered, builder.apply("Transpose", [near], { perm: [0, 2, 1] })]);
    // [batch, 1, 1, length]: so little for padding that it is never looked at
    const row = builder.apply("Unsqueeze", [
      builder.apply("Transpose", [mask], { perm: [0, 2, 1] }),
      ints([1]),
    ]);
    const hidden = builder.apply("Mul", [builder.apply("Sub", [1, row]), -1e9]);
    const lower: TokenLayer[] = [];
    for (let layer = 0; layer < layers; layer++) {
      const name = `encoder.${layer}`;
      const seen = attention(
        weights,
        normalised(weights, x, `${name}.attention.norm`, width),
        hidden,
        `${name}.attention`,
        width,
        heads,
      );
      x = builder.apply("Add", [x, keep(seen, width)]);
      const wide = dense(
        weights,
        normalised(weights, x, `${name}.norm`, width),
        `${name}.inner`,
        width,
        width * expansion,
      );
      const narrow = dense(weights, builder.apply("Relu", [wide]), `${name}.outer`, width * expansion, width);
      x = builder.apply("Add", [x, keep(narrow, width)], {}, { name: `${name}.output` });
      lower.push({ name, states: x, width });
    }
    return { states: keep(normalised(weights, x, "encoder.norm", width), width), width, lower };
  },
};

function attention(
  weights: Weights,
  x: Value,
  hidden: Value,
  name: string,
  width: number,
  heads: number,
): Value {
  const { builder } = weights;
  const part = (which: string, perm: readonly number[]) => {
    const all = dense(weights, x, `${name}.${which}`, width, width);
    return builder.apply("Transpose", [builder.apply("Reshape", [all, ints([0, 0, heads, width / heads])])], {
      perm,
    });
  };
  const scores = builder.apply("MatMul", [part("query", [0, 2, 1, 3]), part("key", [0, 2, 3, 1])]);
  const scaled = builder.apply("Mul", [scores, 1 / Math.sqrt(width / heads)]);
  const shares = builder.apply("Softmax", [builder.apply("Add", [scaled, hidden])], { axis: -1 });
  const mixed = builder.apply("MatMul", [shares, part("value", [0, 2, 1, 3])]);
  const joined = builder.apply("Reshape", [
    builder.apply("Transpose", [mixed], { perm: [0, 2, 1, 3] }),
    ints([0, 0, width]),
  ]);
  return dense(weights, joined, `${name}.out`, width, width);
}
