import { type Builder, build, emptyGraph, modelOf } from "../ir/build.ts";
import type { Value } from "../ir/graph.ts";
import type { Architecture } from "./architecture.ts";
import { drawn } from "./blank.ts";
import { chosen } from "./chosen.ts";
import { convolved, pooled } from "./convolution.ts";

const options = {
  size: { type: "number", default: 32, min: 8, max: 512, about: "side of the images, in pixels" },
  channels: { type: "number", default: 3, min: 1, max: 3, about: "1 for grey images, 3 for colour" },
  width: { type: "number", default: 1, min: 0.125, max: 4, about: "factor of all channels" },
  depth: { type: "number", default: 2, min: 1, max: 8, about: "inverted residuals a stage" },
  expansion: { type: "number", default: 4, min: 1, max: 8, about: "factor by which a block widens inside" },
  output: { type: "number", default: 256, min: 8, max: 2048, about: "numbers a row of features has" },
} as const;

/** Channels of each stage; every stage but the first halves the side. */
const STAGES = [16, 32, 48, 64];

/**
 * Inverted residuals with linear bottlenecks (Sandler et al. 2018, https://arxiv.org/abs/1801.04381), with fewer and
 * narrower stages and a stem that keeps the side, for small images.
 */
export const mobilenetSmall: Architecture = {
  about: "inverted residuals with depthwise convolutions: few parameters, for images of 32 to 64 pixels",
  modality: "image",
  options,
  build(settings, random) {
    const { size, channels, width, depth, expansion, output } = chosen("mobilenet-small", options, settings, [
      "width",
    ]);
    const b = build(emptyGraph("mobilenet-small"));
    let x = b.input("pixel_values", "float32", ["batch", channels, size, size]);
    let from = scaled(STAGES[0]!, width);
    x = relu6(b, convolved(b, x, "stem", { from: channels, to: from, kernel: 3 }));
    for (let block = 0; block < STAGES.length * depth; block++) {
      const to = scaled(STAGES[Math.floor(block / depth)]!, width);
      const stride = block >= depth && block % depth === 0 ? 2 : 1;
      const inner = from * expansion;
      const name = `layer.${block}`;
      const wide = relu6(b, convolved(b, x, `${name}.expand`, { from, to: inner, kernel: 1 }));
      const depthwise = { from: inner, to: inner, kernel: 3, stride, group: inner };
      const mixed = relu6(b, convolved(b, wide, `${name}.depthwise`, depthwise));
      const narrow = convolved(b, mixed, `${name}.project`, { from: inner, to, kernel: 1 });
      x = stride === 1 && from === to ? b.apply("Add", [narrow, x], {}, { name: `${name}.output` }) : narrow;
      from = to;
    }
    x = relu6(b, convolved(b, x, "top", { from, to: output, kernel: 1 }));
    pooled(b, x, output);
    return drawn(modelOf(b.graph), random);
  },
};

function relu6(b: Builder, x: Value): Value {
  return b.apply("Clip", [x, 0, 6]);
}

/** Channels in multiples of eight, as the paper has them. */
function scaled(channels: number, width: number): number {
  return Math.max(8, Math.round((channels * width) / 8) * 8);
}
