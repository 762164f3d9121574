import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { floatProducts, plainProducts } from "../linalg/float-products.ts";
import { random } from "../random.ts";
import {
  analogyScores,
  readAnalogies,
  readWordPairs,
  similarityScore,
  spearman,
} from "./evaluate-vectors.ts";
import { analogyWords, nearestWords } from "./nearest.ts";
import { wordIndex } from "./word-index.ts";
import { wordVectors } from "./word-vectors.ts";

const golden = JSON.parse(
  gunzipSync(readFileSync(new URL("../../../../test/golden/vectors.json.gz", import.meta.url))).toString(),
);
const vectors = wordVectors({
  words: golden.words,
  dimension: 6,
  vectors: Float32Array.from(golden.vectors.flat()),
});

test("neighbours and analogies, by sum and by product, are gensim's", () => {
  const index = wordIndex(vectors);
  expect(nearestWords(index, "king", 5).map(({ word }) => word)).toEqual(golden.nearest);
  for (const method of ["add", "multiply"] as const) {
    const found = analogyWords(index, ["man", "king", "woman"], { count: 4, method });
    expect(found.map(({ word }) => word)).toEqual(golden[method].map(([word]: [string]) => word));
    for (const [i, [, score]] of golden[method].entries()) {
      // gensim adds 1e-6 to the denominator of 3CosMul, the paper 1e-3.
      expect(Math.abs(found[i]!.score - score)).toBeLessThan(method === "add" ? 1e-5 : 3e-3);
    }
  }
  expect(() => nearestWords(index, "King")).toThrow('no vector for "King"; there is one for "king"');
});

test("rank correlation with people's judgements is SciPy's, and pairs without vectors are counted", () => {
  const text = golden.pairs.map((pair: string[]) => pair.join("\t")).join("\n");
  const score = similarityScore(vectors, readWordPairs(`${text}\nking\tunicorn\t4\n`, "pairs"));
  expect(score.spearman).toBeCloseTo(golden.spearman, 10);
  expect(score).toMatchObject({ pairs: 6, covered: 5 });
  expect(spearman([1, 2, 2, 3], [1, 2, 2, 3])).toBe(1);
  expect(spearman([1, 1], [1, 2])).toBeNull();
  expect(() => readWordPairs("a b 1\na b\n", "pairs")).toThrow(/pairs line 2: two words and a number/);
});

test("questions are asked among the first words alone, and their own words are no answers", () => {
  // On a grid b − a + c is exactly d; "far" would be the answer if it were asked among.
  const grid = wordVectors({
    words: ["man", "king", "woman", "queen", "far"],
    dimension: 4,
    vectors: Float32Array.from([1, 0, 0, 0.1, 1, 1, 0, 0.1, 0, 0, 1, 0.1, 0, 1, 1, 0.1, 0, 0.2, 0.9, 0.9]),
  });
  const sections = readAnalogies(
    ": family\nMan King Woman Queen\nman king woman far\n: none\nman king lamp far",
    "q",
  );
  for (const method of ["add", "multiply"] as const)
    expect(analogyScores(wordIndex(grid, 4), sections, { method })).toEqual([
      { name: "family", questions: 2, covered: 1, right: 1 },
      { name: "none", questions: 1, covered: 0, right: 0 },
    ]);
  expect(() => readAnalogies("a b c", "q")).toThrow(/q line 1: four words/);
});

test("products by vectors of four are those of the plain loop", () => {
  const source = random(3);
  for (const [n, d, queries] of [
    [5, 4, 1],
    [37, 100, 21],
    [1, 8, 4],
    [150, 300, 17],
    [9, 28, 3],
  ] as const) {
    const [fast, plain] = [floatProducts(n, d), plainProducts(n, d)];
    for (let i = 0; i < n * d; i++) fast.rows[i] = plain.rows[i] = source.normal();
    const asked = Float32Array.from({ length: queries * d }, () => source.normal());
    const [found, expected] = [fast.scores(asked, queries), plain.scores(asked, queries)];
    expect(found).toHaveLength(queries * n);
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 4);
    fast.rows.fill(0, 0, d);
    plain.rows.fill(0, 0, d);
    fast.scaleRows();
    plain.scaleRows();
    for (const [i, value] of plain.rows.entries()) expect(fast.rows[i]).toBeCloseTo(value, 6);
    expect(fast.rows.subarray(0, d).every((value) => value === 0)).toBe(true);
  }
});
