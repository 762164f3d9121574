import { ints } from "../../ir/build.ts";
import type { Value } from "../../ir/graph.ts";
import { resolveSettings } from "../../options.ts";
import type { TokenLayer, TokenMixer } from "./encoder.ts";

const options = {
  units: { type: "number", default: 128, min: 1, max: 2048, about: "units of the LSTM in each direction" },
  layers: {
    type: "number",
    default: 1,
    min: 1,
    max: 8,
    about: "layers, each over the states of the one below",
  },
} as const;

/** Long short-term memory in both directions (Graves and Schmidhuber 2005, doi:10.1016/j.neunet.2005.06.042). */
export const bilstm: TokenMixer = {
  about: "long short-term memory in both directions: the most accurate on small data",
  options,
  append(weights, { tokens, width, lengths }, settings, keep) {
    const { units, layers } = resolveSettings("bilstm", options, settings);
    const { builder } = weights;
    let x = tokens;
    let from = width;
    const lower: TokenLayer[] = [];
    for (let layer = 0; layer < layers; layer++) {
      const name = `encoder.${layer}`;
      if (layer > 0) lower.push({ name: `encoder.${layer - 1}`, states: x, width: from });
      const bound = 1 / Math.sqrt(units);
      const bias = new Float32Array(2 * 8 * units);
      // Gates i, o, f, c, then the recurrent half: a forgetting gate that starts open (Jozefowicz et al. 2015).
      for (const d of [0, 1]) bias.fill(1, (8 * d + 2) * units, (8 * d + 3) * units);
      const turned = builder.apply("Transpose", [x], { perm: [1, 0, 2] });
      const states = builder.apply(
        "LSTM",
        [
          turned,
          weights.uniform(`${name}.input`, [2, 4 * units, from], Math.sqrt(6 / (from + 4 * units))),
          weights.uniform(`${name}.recurrent`, [2, 4 * units, units], bound),
          weights.constant(`${name}.bias`, [2, 8 * units], bias),
          lengths,
        ],
        { hidden_size: units, direction: "bidirectional" },
        { name: `${name}.lstm` },
      );
      const rows: Value = builder.apply("Transpose", [states], { perm: [2, 0, 1, 3] });
      x = builder.apply("Reshape", [rows, ints([0, 0, 2 * units])], {}, { name: `${name}.output` });
      from = 2 * units;
      x = keep(x, from);
    }
    return { states: x, width: from, lower };
  },
};
