import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { wordVectors } from "@graft-ml/core";
import { afterAll, expect, test } from "vitest";
import { main } from "../cli/main.ts";
import { readVectorsFile, writeVectorsFile } from "./vector-files.ts";

const folder = mkdtempSync(join(tmpdir(), "graft-vectors-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

// "queen" is exactly king − man + woman.
const vectors = wordVectors({
  words: ["man", "woman", "king", "queen", "tree"],
  dimension: 4,
  vectors: Float32Array.from([1, 0, 0, 0.5, 0, 1, 0, 0.5, 1, 0, 1, 0.5, 0, 1, 1, 0.5, 0.3, 0.3, -1, 0]),
});

async function graft(...args: string[]) {
  let [out, err] = ["", ""];
  const code = await main(args, {
    out: { write: (text) => (out += text) },
    err: { write: (text) => (err += text) },
    now: () => 0,
  });
  return { code, out, err };
}

test("a packed file is read as the plain one, and no file stays half-written", async () => {
  await writeVectorsFile(at("v.bin"), vectors);
  writeFileSync(at("packed.bin"), gzipSync(readFileSync(at("v.bin"))));
  const { vectors: again } = await readVectorsFile(at("packed.bin"));
  expect(again.words).toEqual(vectors.words);
  expect(again.vectors).toEqual(vectors.vectors);
  await expect(readVectorsFile(at("missing.txt"))).rejects.toThrow("missing.txt: there is no such file");
  await expect(writeVectorsFile(at("v.json"), vectors)).rejects.toThrow(/\.npz; name the file so/);
});

test("graft vectors answers, scores and converts, for people and as JSON", async () => {
  await writeVectorsFile(at("v.txt"), vectors);
  const { out } = await graft("vectors", "analogy", at("v.txt"), "man", "king", "woman", "--quiet");
  expect(out).toMatch(/man is to king as woman is to\n {2}0\.971 {2}queen/);
  writeFileSync(at("pairs.tsv"), "man\twoman\t8\nking\tqueen\t9\nman\ttree\t8.5\nking\tlamp\t2\n");
  writeFileSync(at("questions.txt"), ": family\nman king woman queen\n: gram1\nman king lamp queen\n");
  const scored = await graft(
    ..."vectors eval --json --quiet".split(" "),
    ...[at("v.txt"), "--similarity", at("pairs.tsv"), "--analogies", at("questions.txt")],
  );
  const result = JSON.parse(scored.out);
  expect(result).toMatchObject({
    words: 5,
    similarity: [{ pairs: 4, covered: 3, outOfVocabulary: 1, spearman: 1 }],
    analogies: {
      total: { questions: 2, covered: 1, right: 1, accuracy: 1 },
      syntactic: { covered: 0, accuracy: null },
    },
  });
  expect(
    (await graft("vectors", "convert", at("v.txt"), "--output", at("v.npz"), "--storage", "int8")).code,
  ).toBe(0);
  const near = await graft("vectors", "nearest", at("v.npz"), "king", "--count", "1", "--json", "--quiet");
  expect(JSON.parse(near.out).nearest[0].neighbours[0].word).toBe("man");
});

test("graft vectors says what is wrong with its use", async () => {
  await writeVectorsFile(at("v.txt"), vectors);
  const uses: [string[], number, RegExp][] = [
    [["dance", at("v.txt")], 2, /there is no verb "dance"; there are eval, nearest/],
    [["nearest", at("v.txt")], 2, /WORD is missing/],
    [["nearest", at("v.txt"), "lamp"], 1, /there is no vector for "lamp"/],
    [["eval", at("v.txt")], 2, /--similarity or --analogies is missing/],
    [["eval", at("v.txt"), "--similarity", at("none")], 1, /none cannot be read \(ENOENT\)/],
    [["convert", at("v.txt"), "--output", at("v.glove"), "--storage", "int8"], 1, /int8 is written as \.npz/],
  ];
  for (const [args, code, message] of uses) {
    const said = await graft("vectors", ...args, "--quiet");
    expect(said.code).toBe(code);
    expect(said.err).toMatch(message);
  }
});

test("graft check says how much of the texts has no vector, which words, and what sub-words make up", async () => {
  const texts = ["kings and a king", "queen of trees", "a tree", "the queen", "king", "woman"];
  writeFileSync(
    at("t.csv"),
    `text,label\n${texts.map((text, i) => `${text},${i % 2 ? "x" : "y"}`).join("\n")}\n`,
  );
  const table = new Float32Array(50 * 4).fill(0.5);
  const withParts = wordVectors({ ...vectors, subwords: { shortest: 3, longest: 3, buckets: 50, table } });
  await writeVectorsFile(at("parts.npz"), withParts);
  const { out, code } = await graft("check", at("t.csv"), "--vectors", at("parts.npz"), "--json", "--quiet");
  expect(code).toBe(0);
  expect(JSON.parse(out).coverage).toEqual({
    tokens: 13,
    unknownTokens: 7,
    words: 10,
    unknownWords: 6,
    recovered: 6, // even of "a", whose `<a>` is a sequence of three
    commonest: [
      { word: "a", count: 2 },
      ...["and", "kings", "of", "the", "trees"].map((word) => ({ word, count: 1 })),
    ],
  });
  const said = await graft("check", at("t.csv"), "--vectors", at("parts.npz"), "--quiet");
  expect(said.out).toMatch(/53\.8 % of all words have no vector \(6 different ones.*graft embed --from/);
});
