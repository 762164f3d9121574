import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { readWordVectors } from "./read-vectors.ts";
import type { ReadVectorsOptions } from "./row-collector.ts";
import { type WordVectors, wordVectors } from "./word-vectors.ts";
import { VECTOR_FORMATS, type VectorFormat, vectorFormatOf, writeWordVectors } from "./write-vectors.ts";

const golden = JSON.parse(
  gunzipSync(readFileSync(new URL("../../../../test/golden/vectors.json.gz", import.meta.url))).toString(),
);
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));

function joined(parts: Iterable<Uint8Array>): Uint8Array {
  return new Uint8Array(Buffer.concat([...parts]));
}

/** Bytes as a file that comes in pieces of `piece` bytes. */
async function read(bytes: Uint8Array, piece = 1 << 20, options: ReadVectorsOptions = {}, isSized = true) {
  const chunks = async function* () {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.slice(at, at + piece);
  };
  return await readWordVectors({ name: "a file", size: isSized ? bytes.length : null, chunks }, options);
}

const plain = (vectors: WordVectors) => ({
  words: vectors.words,
  vectors: [...vectors.vectors],
  counts: vectors.counts && [...vectors.counts],
});

const floats = fc.float({ noNaN: true, noDefaultInfinity: true });
const word = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 8 })
  .filter((text) => !/[\s\0]/.test(text) && !/[\uD800-\uDFFF]/u.test(text));

const some = fc
  .tuple(fc.uniqueArray(word, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 7 }))
  .chain(([words, dimension]) =>
    fc
      .array(floats, { minLength: words.length * dimension, maxLength: words.length * dimension })
      .map((numbers) => wordVectors({ words, dimension, vectors: Float32Array.from(numbers) })),
  );

describe("a file of vectors", () => {
  test.each(VECTOR_FORMATS)(
    "%s gives back the same words and the same numbers, in pieces of any size",
    async (format) => {
      await fc.assert(
        fc.asyncProperty(
          some,
          fc.integer({ min: 1, max: 97 }),
          fc.boolean(),
          async (vectors, piece, isSized) => {
            // A first line of GloVe's that is two whole numbers is another form's header.
            fc.pre(format !== "glove" || vectors.dimension > 1);
            const bytes = joined(writeWordVectors(vectors, format));
            const again = await read(bytes, piece, {}, isSized);
            expect(plain(again.vectors)).toEqual(plain(vectors));
          },
        ),
        { numRuns: 150 },
      );
    },
  );

  test("float16 and int8 are near the numbers they stand for", async () => {
    const vectors = wordVectors({
      words: ["a", "b", "c"],
      dimension: 3,
      vectors: Float32Array.of(0.1, -0.25, 3, 0, 0, 0, -1e-3, 2e-3, 5e-4),
      counts: Float64Array.of(5, 2 ** 40, 1),
    });
    for (const [storage, near] of [
      ["float16", 1e-3],
      ["int8", 1 / 254],
    ] as const) {
      const again = (await read(joined(writeWordVectors(vectors, "npz", storage)))).vectors;
      expect([...again.counts!]).toEqual([5, 2 ** 40, 1]);
      for (let i = 0; i < 3; i++) {
        const row = vectors.vectors.subarray(3 * i, 3 * i + 3);
        const most = Math.max(...row.map(Math.abs));
        for (let d = 0; d < 3; d++)
          expect(Math.abs(again.vectors[3 * i + d]! - row[d]!)).toBeLessThanOrEqual(near * most + 1e-12);
      }
    }
    expect(() => writeWordVectors(vectors, "glove", "int8")).toThrow(InputError);
  });

  test("of gensim's and of NumPy's is read as they wrote it", async () => {
    for (const form of ["text", "binary", "npz"]) {
      const { vectors } = await read(bytesOf(golden[form]), 13);
      expect(vectors.words).toEqual(golden.words);
      for (const [i, row] of golden.vectors.entries())
        expect([...vectors.vectors.subarray(6 * i, 6 * i + 6)]).toEqual(row.map(Math.fround));
    }
  });

  test("of fastText's keeps its sub-words: unseen words have the vectors gensim gives them", async () => {
    const { file, words, vectors: expected } = golden.fasttext;
    const { vectors } = await read(bytesOf(file), 101);
    expect(new Set(vectors.words)).toEqual(new Set(words));
    for (const [name, row] of Object.entries<number[]>(expected)) {
      const found = vectors.vectorOf(name)!;
      for (const [d, value] of row.entries()) expect(found[d]).toBeCloseTo(value, 6);
    }
    const again = await read(joined(writeWordVectors(vectors, "npz")));
    expect(again.vectors.vectorOf("kingly")).toEqual(vectors.vectorOf("kingly"));
    expect([...again.vectors.counts!]).toEqual([...vectors.counts!]);
  });

  test("is read to a limit", async () => {
    for (const form of ["text", "binary", "npz"])
      expect((await read(bytesOf(golden[form]), 50, { limit: 3 })).vectors.words).toEqual([
        "the",
        "of",
        "king",
      ]);
  });

  test("of GloVe's may have blanks in a word", async () => {
    const { vectors } = await read(new TextEncoder().encode("the 1 2\n. . 3 4\n"));
    expect(vectors.words).toEqual(["the", ". ."]);
    expect([...vectors.vectors]).toEqual([1, 2, 3, 4]);
  });

  test("is named by its ending", () => {
    const forms: Record<string, VectorFormat> = {
      "a.vec": "word2vec-text",
      "b.BIN": "word2vec-binary",
      "c.npz": "npz",
    };
    for (const [path, format] of Object.entries(forms)) expect(vectorFormatOf(path)).toBe(format);
    expect(() => vectorFormatOf("vectors.json")).toThrow(/\.txt or \.vec/);
  });
});

describe("a file that is damaged or means harm", () => {
  test("ends in an InputError, or is read, whatever its bytes; it never takes more memory than it has", async () => {
    const seeds = ["text", "binary", "npz"].map((form) => bytesOf(golden[form]));
    seeds.push(bytesOf(golden.fasttext.file));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        async (seed, changes, cut) => {
          const bytes = seed.slice(0, Math.max(1, seed.length - (cut % 3 === 0 ? cut % seed.length : 0)));
          for (const [at, value] of changes) bytes[at % Math.min(bytes.length, 200)] = value;
          try {
            const { vectors } = await read(bytes, 64, { onError: "skip" });
            expect(vectors.vectors.length).toBe(vectors.words.length * vectors.dimension);
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
            expect((error as Error).message).toMatch(/^a file/);
          }
        },
      ),
      { numRuns: 600 },
    );
  });

  const refused: [string, string | Uint8Array, RegExp][] = [
    ["nothing", "", /is empty/],
    ["a header that promises too much", "2000000000 300\na 1 2", /fewer than 300|promises/],
    ["too few numbers", "2 3\na 1 2 3\nb 1 2\n", /line 3: has fewer than 3 numbers/],
    ["a number that is none", "1 2\na 1 x\n", /line 2: number 2 is "x"/],
    ["an infinite number", "1 2\na 1 1e99\n", /line 2: "a" has a number that is Infinity/],
    ["a word twice", "2 1\na 1\na 2\n", /line 3: the word "a" came before/],
    ["an end before the promised one", "3 1\na 1\nb 2\n", /promises 3 words .* ends after 2/],
    [
      "a binary file cut off",
      bytesOf(golden.binary).subarray(0, 60),
      /ends within the numbers of word|ends after/,
    ],
    ["an archive cut off", bytesOf(golden.npz).subarray(0, 300), /ends within|has no array/],
  ];
  test.each(refused)("%s is refused with its place", async (_, content, message) => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await expect(read(bytes)).rejects.toThrow(message);
  });

  test("bad rows can be left out, and are listed", async () => {
    const text = "4 2\na 1 2\nb 1\na 3 4\nc 5 nan\n";
    const { vectors, skipped, skippedCount } = await read(new TextEncoder().encode(text), 7, {
      onError: "skip",
    });
    expect(vectors.words).toEqual(["a"]);
    expect(skippedCount).toBe(3);
    expect(skipped[0]).toBe("a file line 3: has fewer than 2 numbers behind its word");
  });

  test("a word that a form cannot hold is not written", () => {
    const vectors = wordVectors({ words: ["new york"], dimension: 1, vectors: Float32Array.of(1) });
    expect(() => joined(writeWordVectors(vectors, "word2vec-text"))).toThrow(/"new york" cannot be written/);
  });
});
