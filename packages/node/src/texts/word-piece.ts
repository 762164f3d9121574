import type { JsonObject, TokenizerFiles } from "../backbones/index.ts";

/** Tokens that stand for no text: padding, what is unknown, and what a language model is to guess. */
export const SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[MASK]"] as const;

/** How a tokenizer of given tokens splits a text. */
export interface WordPiece {
  /** The special tokens first. */
  readonly vocabulary: readonly string[];
  /** Most tokens of a text, as tokenizer_config.json says it. */
  readonly maxLength: number;
  readonly normalizer: JsonObject;
  readonly preTokenizer: JsonObject;
}

/**
 * The files of a WordPiece tokenizer (Wu et al. 2016, https://arxiv.org/abs/1609.08144), which the hub's
 * tools read.
 */
export function wordPieceFiles({
  vocabulary,
  maxLength,
  normalizer,
  preTokenizer,
}: WordPiece): TokenizerFiles {
  const json: JsonObject = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer,
    pre_tokenizer: preTokenizer,
    post_processor: null,
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    },
  };
  const config: JsonObject = {
    tokenizer_class: "PreTrainedTokenizerFast",
    model_max_length: maxLength,
    pad_token: "[PAD]",
    unk_token: "[UNK]",
    mask_token: "[MASK]",
  };
  return { json, config };
}
