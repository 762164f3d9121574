import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  convertTags,
  mayFollow,
  SCHEMES,
  type Scheme,
  type Span,
  schemeOf,
  spansOf,
  strictSpansOf,
  tagsOf,
} from "./spans.ts";

/** Spans that do not overlap, in order, over up to 30 tokens. */
const sentences = fc
  .array(
    fc.record({
      gap: fc.nat(3),
      length: fc.integer({ min: 1, max: 4 }),
      type: fc.constantFrom("A", "B", "C-D"),
    }),
  )
  .map((pieces) => {
    const spans: Span[] = [];
    let at = 0;
    for (const { gap, length, type } of pieces) {
      spans.push({ type, start: at + gap, end: at + gap + length });
      at += gap + length;
    }
    return { spans, length: at + 2 };
  });
const scheme = fc.constantFrom(...SCHEMES);

describe("schemes", () => {
  test("tags of spans give the spans again, strictly and leniently, in every scheme", () => {
    fc.assert(
      fc.property(sentences, scheme, ({ spans, length }, to) => {
        const tags = tagsOf(spans, length, to);
        expect(spansOf(tags)).toEqual(spans);
        expect(strictSpansOf(tags, to)).toEqual(spans);
      }),
    );
  });
  test("conversion to another scheme and back changes nothing", () => {
    fc.assert(
      fc.property(sentences, scheme, scheme, ({ spans, length }, from, to) => {
        const tags = tagsOf(spans, length, from);
        expect(convertTags(convertTags(tags, to), from)).toEqual(tags);
      }),
    );
  });
  test("what a scheme writes is what it lets follow", () => {
    fc.assert(
      fc.property(sentences, scheme, ({ spans, length }, to) => {
        const tags = [null, ...tagsOf(spans, length, to), null];
        for (let i = 1; i < tags.length; i++) expect(mayFollow(to, tags[i - 1]!, tags[i]!)).toBe(true);
      }),
    );
  });
  test("any tags whose neighbours may follow each other are strict throughout", () => {
    for (const name of SCHEMES) {
      const all = ["O", ...["B", "I", "M", "E", "L", "S", "U"].flatMap((l) => [`${l}-X`, `${l}-Y`])];
      const usable = all.filter((tag) => {
        const probe = tagsOf(
          [
            { type: "X", start: 0, end: 1 },
            { type: "X", start: 1, end: 4 },
          ],
          5,
          name,
        );
        return probe.some((one) => one[0] === tag[0]);
      });
      const walk = (tags: readonly string[]): void => {
        if (tags.length === 4) {
          if (mayFollow(name, tags.at(-1)!, null)) expect(strictSpansOf(tags, name)).toEqual(spansOf(tags));
          return;
        }
        for (const tag of usable) if (mayFollow(name, tags.at(-1) ?? null, tag)) walk([...tags, tag]);
      };
      walk([]);
    }
  });
});

describe("invalid sequences", () => {
  test("are repaired as conlleval does: what continues nothing begins", () => {
    expect(spansOf(["I-A", "I-B", "O", "I-B"])).toEqual([
      { type: "A", start: 0, end: 1 },
      { type: "B", start: 1, end: 2 },
      { type: "B", start: 3, end: 4 },
    ]);
    expect(spansOf(["B-A", "E-A", "E-A"])).toEqual([
      { type: "A", start: 0, end: 2 },
      { type: "A", start: 2, end: 3 },
    ]);
  });
  test("are no spans strictly", () => {
    expect(strictSpansOf(["I-A", "O", "B-A"], "BIO")).toEqual([{ type: "A", start: 2, end: 3 }]);
    expect(strictSpansOf(["B-A", "I-A", "O", "S-A"], "BIOES")).toEqual([{ type: "A", start: 3, end: 4 }]);
  });
});

describe("recognising a scheme", () => {
  const of = (...lines: string[]) => schemeOf(lines.map((line) => line.split(" ")));
  const cases: readonly (readonly [Scheme | null, string[]])[] = [
    ["BIO", ["B-A I-A O B-A"]],
    ["IOB1", ["I-A I-A O", "I-A B-A I-A"]],
    ["BIOES", ["B-A E-A S-B"]],
    ["BMES", ["B-A M-A E-A S-B"]],
    ["BILOU", ["B-A L-A U-B"]],
    [null, ["NOUN VERB", "O"]],
    [null, ["O O"]],
  ];
  test.each(cases)("%s", (name, lines) => expect(of(...lines).scheme).toBe(name));
  test("counts what is irregular and says where", () => {
    expect(of("B-A I-A", "O I-B O B-B", "B-A")).toMatchObject({
      scheme: "BIO",
      spans: 4,
      irregular: 1,
      first: { sentence: 1, token: 1 },
    });
  });
  test("refuses letters of two schemes", () => {
    expect(() => of("B-A M-A E-A", "U-A")).toThrow(/letters B, E, M, U, a mix of schemes/);
  });
  test("refuses overlapping spans", () => {
    expect(() =>
      tagsOf(
        [
          { type: "A", start: 0, end: 2 },
          { type: "B", start: 1, end: 3 },
        ],
        4,
        "BIO",
      ),
    ).toThrow(/overlap/);
  });
});
