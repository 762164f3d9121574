// The networks that can be trained from nothing, by the names the program has for them.
export { mobilenetSmall as "mobilenet-small" } from "./mobilenet-small.ts";
export { resnetSmall as "resnet-small" } from "./resnet-small.ts";
export { textCnn as "text-cnn" } from "./text-cnn.ts";
export { transformerSmall as "transformer-small" } from "./transformer-small.ts";
