import { InputError } from "@graft-ml/core";
import { describe, expect, test } from "vitest";
import { encoder, trainTokenizer } from "./index.ts";

const corpus = ["The cat sat on the mat.", "the cat ran", "我爱北京", "我爱上海"];

describe("a tokenizer made of a corpus", () => {
  const made = trainTokenizer(corpus, { size: 60, maxLength: 12 });
  const encode = encoder(made, 12);
  const idsOf = (text: string) => [...encode.encode(text).ids];
  const id = (token: string) => encode.idOf(token);

  test("keeps the commonest words whole, whatever their case, and Chinese by characters", () => {
    expect(idsOf("THE cat")).toEqual([id("the"), id("cat")]);
    expect(idsOf("我爱")).toEqual([id("我"), id("爱")]);
    expect(id("the")).not.toBeNull();
  });

  test("splits a word it saw once, and words it never saw, into characters it knows; other signs are unknown", () => {
    expect(idsOf("mat")).toEqual([id("m"), id("##a"), id("##t")]);
    expect(idsOf("satan")).toEqual([id("s"), id("##a"), id("##t"), id("##a"), id("##n")]);
    expect(idsOf("ж")).toEqual([id("[UNK]")]);
  });

  test("is the same for the same texts in another order", () => {
    expect(trainTokenizer(corpus.toReversed(), { size: 60, maxLength: 12 })).toEqual(made);
  });

  test("stays within its size, and refuses one without room", () => {
    const small = trainTokenizer(corpus, { size: 12, maxLength: 12 });
    expect(Object.keys((small.json.model as { vocab: object }).vocab)).toHaveLength(12);
    expect(() => trainTokenizer(corpus, { size: 3, maxLength: 12 })).toThrow(InputError);
    expect(() => trainTokenizer([" "], { size: 30, maxLength: 12 })).toThrow(/no words/);
  });
});
