import { readFileSync } from "node:fs";
import type { Input } from "@graft-ml/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TokenizerFiles } from "../backbones/index.ts";
import { paddedLength, textPreprocessor } from "./text-preprocessor.ts";
import { encoder } from "./tokens.ts";

const { sets } = JSON.parse(
  readFileSync(new URL("../../../../test/golden/texts.json", import.meta.url), "utf8"),
) as { readonly sets: readonly (TokenizerFiles & { readonly name: string })[] };

/** Words of several scripts, signs, an emoji of two code points, marks, spaces of several kinds. */
const PIECES = [
  "refund",
  "Where",
  "naïve",
  "退货",
  "衣服尺码",
  "かな",
  "한국어",
  "ไทย",
  "👍🏽",
  "e\u0301",
  "19,90 €",
  "!?",
  "\t",
  "\u3000",
  "\n",
];
const anyText = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 6 })), { maxLength: 30 })
  .map((pieces) => pieces.join(" "));
const spoken = anyText.filter((text) => text.trim() !== "");
const input = (text: string): Input => ({ kind: "text", text });
const names = ["input_ids", "attention_mask", "token_type_ids", "position_ids"].map((name) => ({ name }));

describe.each(sets)("$name, whatever the text", (tokenizer) => {
  const whole = encoder(tokenizer, 4096);
  /** Special tokens before and after every text. */
  const empty = encoder(tokenizer, 16).encode("").ids.length;

  test("a cut text is a beginning of the whole one between the same special tokens", () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: empty + 1, max: 40 }), (text, length) => {
        const all = [...whole.encode(text).ids];
        const cut = [...encoder(tokenizer, length).encode(text).ids];
        expect(cut).toHaveLength(Math.min(length, all.length));
        const after = framing(tokenizer).after;
        expect(cut.slice(cut.length - after)).toEqual(all.slice(all.length - after));
        expect(cut.slice(0, cut.length - after)).toEqual(all.slice(0, cut.length - after));
      }),
      { numRuns: 60 },
    );
  });

  test("cut from the left it is an end of it", () => {
    const left = { ...tokenizer, config: { ...tokenizer.config, truncation_side: "left" } };
    fc.assert(
      fc.property(anyText, fc.integer({ min: empty + 1, max: 40 }), (text, length) => {
        const all = [...whole.encode(text).ids];
        const cut = [...encoder(left, length).encode(text).ids];
        expect(cut).toHaveLength(Math.min(length, all.length));
        const { before } = framing(tokenizer);
        expect(cut.slice(0, before)).toEqual(all.slice(0, before));
        const rest = cut.length - before;
        expect(cut.slice(before)).toEqual(all.slice(all.length - rest));
      }),
      { numRuns: 60 },
    );
  });

  test.each(["right", "left"])("the mask tells its tokens from the padding on the %s", async (side) => {
    const padded = { ...tokenizer, config: { ...tokenizer.config, padding_side: side } };
    const { prepare, extentOf } = textPreprocessor({ tokenizer: padded, inputs: names, maxLength: 48 });
    const padId = encoder(tokenizer, 48).idOf(String(tokenizer.config!.pad_token));
    await fc.assert(
      fc.asyncProperty(spoken, async (text) => {
        const ids = [...encoder(tokenizer, 48).encode(text).ids];
        const extent = paddedLength(ids.length, 48);
        expect(extentOf!(input(text))).toBe(extent);
        const feeds = await prepare([input(text)]);
        const numbers = (name: string) => Array.from(feeds[name]!.data as BigInt64Array, Number);
        const padding = <T>(value: T) => Array<T>(extent - ids.length).fill(value);
        const placed = (tokens: number[], filler: number) =>
          side === "left" ? [...padding(filler), ...tokens] : [...tokens, ...padding(filler)];
        expect(numbers("input_ids")).toEqual(placed(ids, padId!));
        expect(numbers("attention_mask")).toEqual(
          placed(
            ids.map(() => 1),
            0,
          ),
        );
        expect(numbers("position_ids")).toEqual(placed([...ids.keys()], 0));
        expect(numbers("token_type_ids")).toEqual(Array<number>(extent).fill(0));
      }),
      { numRuns: 60 },
    );
  });

  test("a text is fed the same numbers whatever texts of its extent stand beside it", async () => {
    const { prepare, extentOf } = textPreprocessor({ tokenizer, inputs: names, maxLength: 32 });
    await fc.assert(
      fc.asyncProperty(fc.array(spoken, { minLength: 1, maxLength: 6 }), async (texts) => {
        const extent = extentOf!(input(texts[0]!));
        const alike = texts.map(input).filter((one) => extentOf!(one) === extent);
        const together = await prepare(alike);
        for (const [i, one] of alike.entries()) {
          const alone = await prepare([one]);
          for (const { name } of names)
            expect((together[name]!.data as BigInt64Array).slice(i * extent, (i + 1) * extent)).toEqual(
              alone[name]!.data,
            );
        }
      }),
      { numRuns: 40 },
    );
  });
});

/** How many special tokens stand before and after a text: what two texts that share no token have in common. */
function framing(tokenizer: TokenizerFiles): { before: number; after: number } {
  const [a, b] = ["a", "7"].map((text) => [...encoder(tokenizer, 64).encode(text).ids]) as [
    number[],
    number[],
  ];
  let before = 0;
  while (a[before] === b[before]) before++;
  let after = 0;
  while (a.at(-1 - after) === b.at(-1 - after)) after++;
  return { before, after };
}
