import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { folder, put, read, told } from "../../../../test/data-files.ts";
import { readDataset } from "./read.ts";

describe("lines with labels", () => {
  it("before the text are read with their coarse or fine part", async () => {
    const lines = Array.from(
      { length: 40 },
      (_, i) => `${i % 2 ? "LOC:city" : "NUM:count"} What is ${i} ?\n`,
    ).join("");
    expect((await read(lines, "q.txt")).classes).toEqual(["LOC", "NUM"]);
    expect((await read(lines, "q.txt", { level: "fine" })).classes).toEqual(["LOC:city", "NUM:count"]);
  });

  it("as fastText writes them, one a line", async () => {
    expect(told(await read("__label__a one\n__label__b two\n", "f.txt"))).toEqual(["a: one", "b: two"]);
    await expect(read("__label__a __label__b two\n__label__a x\n", "f.txt")).rejects.toThrow(
      "has two labels",
    );
  });

  it("are told from plain lines, which are refused where labels are needed", async () => {
    const plain = "It was a dark night.\nThe storm came.\nNobody spoke.\n";
    await expect(read(plain, "story.txt")).rejects.toThrow("cannot tell labels from texts");
    const pool = await read(plain, "story.txt", { labels: "optional" });
    expect(pool.rows.map((one) => one.label)).toEqual([null, null, null]);
  });
});

describe("files of classes and of parts", () => {
  it("are read a class a file", async () => {
    await put({ "rt.neg": "dull\n", "rt.pos": "witty\nfine\n", "README.md": "about" });
    expect(told(await readDataset(folder))).toEqual(["neg: dull", "pos: witty", "pos: fine"]);
  });

  it("are read a part a file, by the stem or the folder", async () => {
    await put({
      "s/a.train": "1 x\n0 y\n1 z\n0 w\n",
      "s/a.dev": "1 v\n0 u\n1 t\n",
      "s/a.test": "1 s\n1 q\n0 r\n",
    });
    for (const path of [join(folder, "s"), join(folder, "s/a")]) {
      const { rows } = await readDataset(path);
      expect(new Set(rows.map((one) => one.split))).toEqual(new Set(["train", "val", "test"]));
      expect(rows).toHaveLength(10);
    }
  });

  it("are refused with a choice where several sets or tables lie together", async () => {
    await put({ "a.train": "1 x\n", "b.train": "1 y\n" });
    await expect(readDataset(folder)).rejects.toThrow(`name one, as in ${join(folder, "a")}`);
    await rm(folder, { recursive: true });
    await put({ "labelled.csv": "text,label\n", "pool.csv": "text\n" });
    await expect(readDataset(folder)).rejects.toThrow(
      `point at one table, as in ${join(folder, "labelled.csv")}`,
    );
  });
});
