export { adam, adamax, adamw, nadam, radam } from "./adam.ts";
export { lion, sgd } from "./sgd.ts";
export { adadelta, adafactor, adagrad, rmsprop } from "./squares.ts";
