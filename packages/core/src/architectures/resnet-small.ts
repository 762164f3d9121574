import { build, emptyGraph, modelOf } from "../ir/build.ts";
import type { Architecture } from "./architecture.ts";
import { drawn } from "./blank.ts";
import { chosen } from "./chosen.ts";
import { convolved, pooled } from "./convolution.ts";

const options = {
  size: { type: "number", default: 32, min: 8, max: 512, about: "side of the images, in pixels" },
  channels: { type: "number", default: 3, min: 1, max: 3, about: "1 for grey images, 3 for colour" },
  width: { type: "number", default: 32, min: 4, max: 512, about: "channels of the first stage" },
  stages: {
    type: "number",
    default: 3,
    min: 1,
    max: 5,
    about: "stages, each of twice the channels and half the side",
  },
  depth: { type: "number", default: 2, min: 1, max: 18, about: "residual blocks a stage" },
  stride: {
    type: "number",
    default: 1,
    min: 1,
    max: 4,
    about: "of the first convolution: 2 halves the side at once, for a quarter of the work",
  },
} as const;

/**
 * The residual network for small images of He, Zhang, Ren and Sun 2016, section 4.2
 * (https://arxiv.org/abs/1512.03385): stages of blocks of two 3 × 3 convolutions, with a 1 × 1 convolution as
 * the shortcut where the shape changes.
 */
export const resnetSmall: Architecture = {
  about: "a residual convolutional network for images of 32 to 64 pixels",
  modality: "image",
  options,
  build(settings, random) {
    const { size, channels, width, stages, depth, stride: first } = chosen("resnet-small", options, settings);
    const b = build(emptyGraph("resnet-small"));
    let x = b.input("pixel_values", "float32", ["batch", channels, size, size]);
    x = b.apply("Relu", [convolved(b, x, "stem", { from: channels, to: width, kernel: 3, stride: first })]);
    let from = width;
    for (let block = 0; block < stages * depth; block++) {
      const to = width * 2 ** Math.floor(block / depth);
      const stride = to === from ? 1 : 2;
      const name = `layer.${block}`;
      const inner = b.apply("Relu", [convolved(b, x, `${name}.0`, { from, to, kernel: 3, stride })]);
      const branch = convolved(b, inner, `${name}.1`, { from: to, to, kernel: 3 });
      const shortcut = to === from ? x : convolved(b, x, `${name}.shortcut`, { from, to, kernel: 1, stride });
      x = b.apply("Relu", [b.apply("Add", [branch, shortcut])], {}, { name: `${name}.output` });
      from = to;
    }
    pooled(b, x, from);
    return drawn(modelOf(b.graph), random);
  },
};
