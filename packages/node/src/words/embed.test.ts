import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { nearestWords, random, wordIndex, wordTokenizer } from "@graft-ml/core";
import { afterAll, describe, expect, test } from "vitest";
import { main } from "../cli/main.ts";
import { corpusFiles, corpusTexts } from "./corpus.ts";
import { embed } from "./embed.ts";

const folder = mkdtempSync(join(tmpdir(), "graft-embed-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

/** Lines of which each holds words of one of two subjects. */
const source = random(3);
const subjects = [
  ["ship", "sea", "sail", "wave", "harbour", "captain"],
  ["bread", "oven", "flour", "baker", "butter", "yeast"],
];
const lines = Array.from({ length: 12_000 }, () => {
  const words = subjects[source.integer(2)]!;
  return Array.from({ length: 9 }, () => words[source.integer(6)]).join(" ");
});
writeFileSync(at("corpus.txt"), `${lines.join("\n")}\n`);
const settings = { dim: 8, sample: 0, epochs: 2, window: 3 };

describe("graft embed", () => {
  test("learns what belongs together, on one thread and on two", async () => {
    for (const threads of [1, 2]) {
      const output = at(`threads${threads}.npz`);
      const { vectors, corpus, resumed } = await embed({
        corpus: [at("corpus.txt")],
        output,
        settings,
        threads,
      });
      expect(corpus).toEqual({ tokens: 108_000, kept: 108_000, distinct: 12 });
      expect(resumed).toBe(0);
      const near = nearestWords(wordIndex(vectors), "ship", 5).map(({ word }) => word);
      expect(new Set(near)).toEqual(new Set(subjects[0]!.slice(1)));
      expect(existsSync(`${output}.work`)).toBe(false);
    }
  });

  test("stopped at any block it goes on to the same bytes", async () => {
    const common = { corpus: [at("corpus.txt")], settings: { ...settings, epochs: 12 }, seed: 4 };
    await embed({ ...common, output: at("whole.bin") });
    const stop = new AbortController();
    const stopped = embed({
      ...common,
      output: at("stopped.bin"),
      signal: stop.signal,
      onProgress: (task, done) => task === "train" && done > 0 && stop.abort(),
    });
    await expect(stopped).rejects.toThrow(/abort/i);
    expect(existsSync(at("stopped.bin"))).toBe(false);
    const { resumed } = await embed({ ...common, output: at("stopped.bin") });
    expect(resumed).toBeGreaterThan(0);
    expect(readFileSync(at("stopped.bin"))).toEqual(readFileSync(at("whole.bin")));
  });

  test("does not learn what comes last alone: of a word that turns to another subject both are known", async () => {
    const [sea, bakery] = subjects as [string[], string[]];
    const half = (words: string[]) =>
      Array.from({ length: 30_000 }, () =>
        Array.from({ length: 9 }, () => ["pier", ...words][source.integer(7)]).join(" "),
      );
    writeFileSync(at("turned.txt"), [...half(sea), ...half(bakery)].join("\n"));
    const { vectors } = await embed({
      corpus: [at("turned.txt")],
      output: at("turned.npz"),
      settings: { ...settings, epochs: 4, rate: 0.002 },
    });
    const scores = new Map(
      nearestWords(wordIndex(vectors), "pier", 12).map(({ word, score }) => [word, score]),
    );
    const mean = (words: string[]) => words.reduce((sum, word) => sum + scores.get(word)!, 0) / words.length;
    expect(mean(bakery)).toBeGreaterThan(0.5);
    expect(mean(sea)).toBeGreaterThan(0.1); // 0.02 where each pass takes the corpus as it lies
  });

  test("goes on from vectors: old words are held, new ones learnt, absent ones kept, and moved ones told", async () => {
    const { vectors: from } = await embed({ corpus: [at("corpus.txt")], output: at("old.npz"), settings });
    // "wave" has come to be said in the bakery; "kayak" is new; the corpus has no "yeast".
    const said = ["wave bread oven flour baker butter", "kayak ship sea sail harbour captain"];
    const domain = Array.from({ length: 6000 }, (_, i) => {
      const words = said[i % 2]!.split(" ");
      return Array.from({ length: 7 }, () => words[source.integer(words.length)]).join(" ");
    });
    writeFileSync(at("domain.txt"), domain.join("\n"));
    const going = async (anchor: number | null, name: string) =>
      await embed({
        corpus: [at("domain.txt")],
        output: at(name),
        settings,
        from,
        anchor,
      });
    const free = await going(0, "free.npz");
    const held = await going(1000, "held.npz");
    expect(free.continued).toMatchObject({ old: 11, added: 1, untouched: 1, anchor: 0 });
    expect(free.continued!.moved[0]).toMatchObject({
      word: "wave",
      example: expect.stringContaining("wave"),
    });
    expect(Math.min(...held.continued!.moved.map(({ cosine }) => cosine))).toBeGreaterThan(0.99);
    expect(free.continued!.moved[0]!.cosine).toBeLessThan(0.9);
    expect(held.vectors.vectorOf("yeast")).toEqual(from.vectorOf("yeast"));
    expect(
      nearestWords(wordIndex(free.vectors), "kayak", 5).every(({ word }) => subjects[0]!.includes(word)),
    ).toBe(true);
    const chosen = (await going(null, "chosen.npz")).continued!;
    expect(chosen.losses).toHaveLength(4);
    const least = Math.min(...chosen.losses.map(({ loss }) => loss));
    expect(chosen.losses.find(({ anchor }) => anchor === chosen.anchor)!.loss).toBe(least);
  });

  test("goes on from sub-words, which then know words of the new text that no list has", async () => {
    const parts = { ...settings, subwords: true, buckets: 400, epochs: 1 };
    const { vectors: from } = await embed({
      corpus: [at("corpus.txt")],
      output: at("sub.npz"),
      settings: parts,
    });
    writeFileSync(at("sub.txt"), "kayaks ship sea sail harbour kayaks captain\n".repeat(300));
    const common = { corpus: [at("sub.txt")], output: at("on.npz"), from, anchor: 0.1 };
    const { vectors, continued } = await embed({ ...common, settings: { ...settings, epochs: 1 } });
    expect(continued).toMatchObject({ added: 1 });
    expect(vectors.subwords).toMatchObject({ shortest: 3, longest: 6, buckets: 400 });
    expect(vectors.vectorOf("kayak")).not.toEqual(from.vectorOf("kayak"));
    const words = { ...from, subwords: null };
    await expect(embed({ ...common, from: words, settings: parts })).rejects.toThrow(/have no sub-words/);
    await expect(embed({ ...common, settings: { shortest: 2 } })).rejects.toThrow(
      /shortest is 3 in the vectors gone on from, got 2/,
    );
  });

  test("joins words to phrases where asked, which then have vectors", async () => {
    const sayings = Array.from({ length: 400 }, (_, i) => `${subjects[i % 2]![i % 6]} ice cream`);
    writeFileSync(at("phrases.txt"), `${lines.slice(0, 400).join("\n")}\n${sayings.join("\n")}`);
    const { vectors, corpus } = await embed({
      corpus: [at("phrases.txt")],
      output: at("phrases.bin"),
      settings: { ...settings, phrases: 1, phraseThreshold: 0.1 },
    });
    expect(vectors.indexOf("ice_cream")).toBeGreaterThanOrEqual(0);
    expect(vectors.indexOf("ice")).toBe(-1);
    expect(corpus.tokens).toBe(3600 + 800);
    // Gone on from, a phrase that moved is told with a text that it is in.
    const { continued } = await embed({
      corpus: [at("phrases.txt")],
      output: at("phrases-again.bin"),
      settings: { ...settings, phrases: 1, phraseThreshold: 0.1 },
      from: vectors,
      anchor: 0,
    });
    const moved = continued!.moved.find(({ word }) => word === "ice_cream");
    expect(moved!.example).toMatch(/ice cream/);
  });

  test("refuses settings that make no sense before any work", async () => {
    const hostile: [string[], RegExp][] = [
      [["--dim", "0"], /dim/],
      [["--dim", "1e9"], /dim/],
      [["--window", "-3"], /window/],
      [["--window", "nine"], /window/],
      [["--negative", "1000"], /negative/],
      [["--epochs", "0"], /epochs/],
      [["--rate", "NaN"], /rate/],
      [["--sample", "2"], /sample/],
      [["--threads", "0"], /threads/],
      [["--threads", "1.5"], /threads/],
      [["--phrases", "99"], /phrases/],
      [["--phrase-threshold", "-1"], /phrase-threshold/],
      [["--buckets", "1e12", "--subwords"], /buckets/],
      [["--method", "glove"], /method/],
      [["--anchor", "1"], /--from/],
      [["--negative", "0"], /--hierarchical/],
    ];
    for (const [args, message] of hostile) {
      let err = "";
      const output = at("hostile.bin");
      const code = await main(["embed", at("corpus.txt"), "--output", output, "--quiet", ...args], {
        out: { write: () => {} },
        err: { write: (text) => (err += text) },
        now: () => 0,
      });
      expect([args, code > 0, message.test(err)]).toEqual([args, true, true]);
      expect(existsSync(output)).toBe(false);
    }
  });

  test("says what it did, for people and as JSON, and what is wrong with its use", async () => {
    let [out, err] = ["", ""];
    const run = async (...args: string[]) => {
      [out, err] = ["", ""];
      return await main(["embed", ...args, "--quiet"], {
        out: { write: (text) => (out += text) },
        err: { write: (text) => (err += text) },
        now: () => 0,
      });
    };
    const small = ["--dim", "4", "--epochs", "1", "--min-count", "1", "--method", "cbow"];
    expect(await run(at("corpus.txt"), "--output", at("v.txt"), "--json", ...small)).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      words: 12,
      dimension: 4,
      settings: { method: "cbow", threads: 1 },
    });
    expect(readFileSync(at("v.txt"), "utf8")).toMatch(/^12 4\n/);
    expect(await run(at("corpus.txt"))).toBe(2);
    expect(await run(at("corpus.txt"), "--output", at("v.json"))).toBe(1);
    expect(err).toMatch(/name the file so/);
    expect(await run(at("nothing.txt"), "--output", at("v.txt"))).toBe(1);
    expect(err).toMatch(/there is no such file or folder/);
    expect(await run(at("corpus.txt"), "--output", at("v.txt"), "--min-count", "100000")).toBe(1);
    expect(err).toMatch(/of which 0 occur 100000 times/);
    expect(await run(at("corpus.txt"), "--output", at("v.bin"), "--storage", "int8")).toBe(1);
    expect(err).toMatch(/int8 is written as \.npz/);
  });
});

describe("a corpus", () => {
  const read = async (path: string, options = {}) => {
    const texts: string[] = [];
    for await (const text of corpusTexts(await corpusFiles([path]), options)) texts.push(text);
    return texts;
  };

  test("is lines of text, or a column of a table, packed or not, or a folder of them", async () => {
    mkdirSync(at("all"));
    writeFileSync(at("all/a.txt.gz"), gzipSync("one\ntwo"));
    writeFileSync(at("all/b.jsonl"), '{"id":1,"review":"three"}\n{"id":2,"review":"four"}\n');
    writeFileSync(at("all/c.csv"), "label,text\nx,five\ny,six\n");
    writeFileSync(at("all/README.md"), "about");
    expect(await read(at("all"))).toEqual(["one", "two", "three", "four", "five", "six"]);
  });

  test("is a column of Parquet by its name, and a table without such a column is refused", async () => {
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    await connection.run(
      `COPY (SELECT i AS id, 'review number ' || i AS review FROM range(3) t(i)) TO '${at("r.parquet")}' (FORMAT parquet)`,
    );
    connection.closeSync();
    instance.closeSync();
    expect(await read(at("r.parquet"), { text: "review" })).toEqual(
      [0, 1, 2].map((i) => `review number ${i}`),
    );
    await expect(read(at("r.parquet"), { text: "body" })).rejects.toThrow(/body/);
    writeFileSync(at("cut.txt.gz"), gzipSync("one two three\n".repeat(500)).subarray(0, 40));
    await expect(read(at("cut.txt.gz"))).rejects.toThrow(/cut.txt.gz.*gzip data are broken/);
    writeFileSync(at("bad.jsonl"), '{"text":"one"}\n{"text":');
    await expect(read(at("bad.jsonl"))).rejects.toThrow(/bad.jsonl/);
  });

  test("is paragraphs where its lines are broken to one width", async () => {
    const line = "these are words of a line that somebody broke at about seventy signs";
    writeFileSync(at("wrapped.txt"), `${Array.from({ length: 8 }, () => `${line}\n`.repeat(4)).join("\n")}`);
    expect(await read(at("wrapped.txt"))).toHaveLength(8);
    expect(await read(at("wrapped.txt"), { lines: "each" })).toHaveLength(39);
    expect(await read(at("wrapped.txt"), { lines: "file" })).toHaveLength(1);
  });

  test("may be of several widths and of none: lines go on where the next word had no room", async () => {
    const source = random(8);
    const wordsOf = (count: number) =>
      Array.from({ length: count }, () => "abcdefghijk".slice(0, 1 + source.integer(11)));
    const broken = (words: readonly string[], width: number) =>
      words.reduce((text, word) => {
        const line = text.length - text.lastIndexOf("\n") - 1;
        return text === "" ? word : text + (line + 1 + word.length > width ? "\n" : " ") + word;
      }, "");
    const narrow = Array.from({ length: 60 }, () => wordsOf(40 + source.integer(60)));
    const wide = Array.from({ length: 60 }, () => wordsOf(60 + source.integer(60)));
    const whole = Array.from({ length: 60 }, () => wordsOf(60 + source.integer(60)).join(" "));
    const sentences = Array.from({ length: 300 }, () => wordsOf(2 + source.integer(10)).join(" "));
    const parts = [
      narrow.map((words) => broken(words, 60)).join("\n\n"),
      whole.join("\n\n"),
      wide.map((words) => broken(words, 76)).join("\n\n"),
      sentences.join("\n"),
    ];
    writeFileSync(at("widths.txt"), parts.join("\n\n"));
    const texts = (await read(at("widths.txt"))).filter((text) => text !== "");
    const expected = [...narrow, ...wide].map((words) => words.join(" "));
    const found = new Set(texts.map((text) => text.replaceAll("\n", " ")));
    const kept = (wanted: readonly string[]) => wanted.filter((text) => found.has(text)).length;
    expect(kept(expected)).toBeGreaterThan(0.9 * expected.length);
    expect(kept(whole)).toBe(whole.length);
    expect(kept(sentences)).toBeGreaterThan(0.95 * sentences.length);
    // Chinese may break anywhere, so that its short texts look like nothing that was broken.
    writeFileSync(
      at("zh.txt"),
      `\n\n${Array.from({ length: 200 }, () => "学".repeat(5 + source.integer(80))).join("\n")}`,
    );
    expect(await read(at("zh.txt"))).toHaveLength(200);
    // Lines of one length without a blank one are a list.
    writeFileSync(at("list.txt"), "a text of fifty signs, as somebody filled in a form\n".repeat(90));
    expect(await read(at("list.txt"))).toHaveLength(90);
  });

  test("of bytes in another encoding is refused, or read as told", async () => {
    writeFileSync(at("latin.txt"), Buffer.from("caf\xe9 noir", "latin1"));
    await expect(read(at("latin.txt"))).rejects.toThrow(/latin.txt: holds bytes that are no utf-8/);
    expect(await read(at("latin.txt"), { encoding: "windows-1252" })).toEqual(["café noir"]);
  });

  test("is split into words by rule, by dictionary or by sign", () => {
    const tokens = (text: string, kind: "words" | "characters" = "words") => {
      const found: string[] = [];
      wordTokenizer(kind)(text, (token) => found.push(token));
      return found;
    };
    expect(tokens("Don’t STOP—naïve 3rd! 😀 king’s")).toEqual([
      "don't",
      "stop",
      "naïve",
      "3rd",
      "king",
      "'s",
    ]);
    expect(tokens("我喜欢学习语言", "characters")).toEqual([..."我喜欢学习语言"]);
    expect(tokens("我喜欢学习语言").join("")).toBe("我喜欢学习语言");
    expect(tokens("我喜欢学习语言").length).toBeLessThan(7);
  });
});
