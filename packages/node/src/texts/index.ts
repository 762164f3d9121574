export {
  paddedLength,
  type TextInput,
  type TextPreprocessorOptions,
  type TokenFeeds,
  textOf,
  textPreprocessor,
  tokenFeeds,
} from "./text-preprocessor.ts";
export { readTfidfPreprocessor, TFIDF_FILE, tfidfPreprocessor } from "./tfidf-preprocessor.ts";
export { type Encoder, encoder, type Tokens } from "./tokens.ts";
export { type TokenizerTraining, trainTokenizer } from "./train-tokenizer.ts";
export { SPECIAL_TOKENS } from "./word-piece.ts";
export { wordTokenizerFiles } from "./word-tokenizer.ts";
export { readWordsPreprocessor, WORDS_FILE, wordsPreprocessor } from "./words-preprocessor.ts";
