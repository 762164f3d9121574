import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NoWordKnown, wordVectors } from "@graft-ml/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encoder, SPECIAL_TOKENS } from "../texts/index.ts";
import { writeVectorsFile } from "../words/index.ts";
import { openWordTable } from "./word-table.ts";

const folder = mkdtempSync(join(tmpdir(), "graft-word-table-"));
afterAll(() => rmSync(folder, { recursive: true }));
const spec = `vectors:${join(folder, "model.npz")}`;

/** Vectors as they are taken out of a language model, its special tokens among them. */
beforeAll(async () => {
  const words = ["[PAD]", "[UNK]", "ship", "sea", "bread"];
  const vectors = Float32Array.from({ length: 10 }, (_, i) => i + 1);
  await writeVectorsFile(join(folder, "model.npz"), wordVectors({ words, dimension: 2, vectors }));
});

test("special tokens keep their places whatever words the vectors have", async () => {
  const { tokenizer, settings } = await openWordTable({ spec }, ["the ship", "the bread"], 16);
  const { idOf, encode } = encoder(tokenizer, 16);
  expect(SPECIAL_TOKENS.map(idOf)).toEqual([0, 1, 2]);
  // "the" comes twice, "ship" and "bread" have vectors, "sea" is one of the others.
  expect(settings).toEqual({ vocabulary: 3 + 3 + 1, width: 2, given: 1 });
  expect(Array.from(encode("the sea, whatever").ids)).toEqual([3, 6, 1]);
});

test("vectors that know no word of the training texts are refused, not trained over as if they were drawn", async () => {
  const opened = openWordTable({ spec }, ["ψωμί ψωμί", "πλοίο"], 16);
  await expect(opened).rejects.toThrow(NoWordKnown);
  await expect(opened).rejects.toThrow(/model.npz: none of the 2 training texts holds a word/);
});
