// What mixes the tokens of a sentence, by the names the program has for it.
export { bilstm } from "./bilstm.ts";
export { dilatedCnn as "dilated-cnn" } from "./dilated-cnn.ts";
export { transformer } from "./transformer.ts";
