import { InputError } from "../../errors.ts";
import { resolveSettings } from "../../options.ts";
import { dense, normalised } from "../weights.ts";
import type { TokenLayer, TokenMixer } from "./encoder.ts";

const options = {
  width: { type: "number", default: 128, min: 4, max: 2048, about: "channels" },
  layers: { type: "number", default: 4, min: 1, max: 12, about: "convolutions" },
  span: {
    type: "number",
    default: 4,
    min: 1,
    max: 64,
    about: "largest distance between the taps of a filter",
  },
} as const;

/**
 * Convolutions of three tokens whose taps lie 1, 2, 4 … apart (Strubell et al. 2017,
 * https://aclanthology.org/D17-1283), each added to what it came from. Padding is zero before each of them.
 */
export const dilatedCnn: TokenMixer = {
  about: "convolutions with growing gaps: quicker than the LSTM, a little less accurate",
  options,
  append(weights, { tokens, width, mask }, settings, keep) {
    const { width: channels, layers, span } = resolveSettings("dilated-cnn", options, settings);
    if (![channels, layers, span].every(Number.isInteger))
      throw new InputError("dilated-cnn: width, layers and span must be whole numbers");
    const { builder } = weights;
    let x = dense(weights, tokens, "encoder.entry", width, channels);
    const lower: TokenLayer[] = [];
    for (let layer = 0; layer < layers; layer++) {
      const name = `encoder.${layer}`;
      const dilation = Math.min(span, 2 ** layer);
      const shown = builder.apply("Mul", [normalised(weights, x, `${name}.norm`, channels), mask]);
      const channelsFirst = builder.apply("Transpose", [shown], { perm: [0, 2, 1] });
      const made = builder.apply(
        "Conv",
        [
          channelsFirst,
          weights.normal(`${name}.weight`, [channels, channels, 3], Math.sqrt(2 / (3 * channels))),
          weights.constant(`${name}.bias`, [channels], 0),
        ],
        { kernel_shape: [3], dilations: [dilation], pads: [dilation, dilation] },
        { name: `${name}.conv` },
      );
      const bent = builder.apply("Transpose", [builder.apply("Relu", [made])], { perm: [0, 2, 1] });
      x = builder.apply("Add", [x, keep(bent, channels)], {}, { name: `${name}.output` });
      lower.push({ name, states: x, width: channels });
    }
    const states = keep(normalised(weights, x, "encoder.norm", channels), channels);
    return { states, width: channels, lower };
  },
};
