import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Dataset, Row } from "@graft-ml/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ReadOptions, readDataset } from "./read.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-data-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Writes files into the folder; returns the path of the first. */
async function put(files: Record<string, string | Uint8Array>): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  return join(folder, Object.keys(files)[0]!);
}

const text = ({ input }: Row) => (input.kind === "text" ? input.text : `(${input.kind})`);
const told = ({ rows }: Dataset) => rows.map((row) => `${row.label}: ${text(row)}`);
const read = async (content: string | Uint8Array, name = "data.csv", options: ReadOptions = {}) =>
  await readDataset(await put({ [name]: content }), options);
const image = "an image is not looked at while reading";

describe("a folder of class folders", () => {
  it("takes the folders' names as labels and the files below them, nested too", async () => {
    await put({ "dog/2.jpg": image, "dog/10.png": image, "cat/old/1.JPEG": image, "cat/notes.xml": "" });
    const set = await readDataset(folder);
    expect(set.task).toBe("image-classification");
    expect(set.classes).toEqual(["cat", "dog"]);
    expect(set.rows.map((row) => [row.where, row.label, row.split])).toEqual([
      ["cat/old/1.JPEG", "cat", null],
      ["dog/2.jpg", "dog", null],
      ["dog/10.png", "dog", null],
    ]);
    expect(set.notes).toEqual(["cat: 1 file left out, neither image nor text: notes.xml"]);
  });

  it("takes train, val and test above them as the parts, by any of their names", async () => {
    await put({ "training/a/1.png": image, "training/b/1.png": image, "dev/a/2.png": image });
    await put({ "Test/b/3.png": image });
    const { rows } = await readDataset(folder);
    expect(rows.map((row) => [row.where, row.split])).toEqual([
      ["Test/b/3.png", "test"],
      ["dev/a/2.png", "val"],
      ["training/a/1.png", "train"],
      ["training/b/1.png", "train"],
    ]);
  });

  it("reads .txt files of one text each, whatever their lines", async () => {
    await put({ "neg/1.txt": "dull\nand long", "pos/1.txt": "\uFEFFwitty" });
    expect(told(await readDataset(folder))).toEqual(["neg: dull\nand long", "pos: witty"]);
  });

  it("reads every image kind that can be decoded, BMP among them", async () => {
    await put({
      "a/1.bmp": image,
      "a/2.webp": image,
      "b/3.tiff": image,
      "b/4.gif": image,
      "b/5.avif": image,
    });
    expect((await readDataset(folder)).rows).toHaveLength(5);
  });

  it("follows a link to a folder once, and ends where a link leads back up", async () => {
    await put({ "a/1.png": image, "b/1.png": image });
    await symlink(folder, join(folder, "b", "up"));
    const { rows } = await readDataset(folder);
    expect(rows.map((row) => row.where)).toEqual(["a/1.png", "b/1.png", "b/up/a/1.png"]);
  });

  it.each([
    [{ "a/1.png": "", "loose.png": "" }, "loose.png lies beside the class folders"],
    [{ "a/1.png": "", "b/1.heic": "" }, "b/1.heic is an image of a kind that is not decoded; convert it"],
    [{ "a/1.png": "", "b/x.xml": "" }, "b: this class folder holds no image and no .txt file"],
    [{ "a/1.png": "", "b/1.txt": "x" }, "holds texts and images both: a/1.png and b/1.txt"],
    [{ "train/a/1.png": "", "test/a/1.png": "", "more/a/1.png": "" }, "beside more"],
    [{ "train/a/1.png": "", "training/a/1.png": "" }, "both train and training for one part"],
    [
      { "red/x/1.png": "", "red/y/1.png": "", "blue/x/1.png": "", "blue/y/1.png": "" },
      "which are the classes?",
    ],
    [{ "1.png": "", "2.png": "" }, "holds 2 images and no class folders"],
  ])("refuses %j: %s", async (files, message) => {
    await put(files);
    await expect(readDataset(folder)).rejects.toThrow(message);
  });

  it("refuses folders nested without end", async () => {
    await put({ [`a/${"x/".repeat(40)}1.png`]: image, "b/1.png": image });
    await expect(readDataset(folder)).rejects.toThrow("nested deeper than 32");
  });
});

describe("a table of separated values", () => {
  it("finds text and label by their names, and takes split, group and weight", async () => {
    const set = await read(
      "id,Review,sentiment,split,group,weight\n1,fine,pos,train,p1,2\n2,dull,neg,dev,p2,\n3,so so,neg,,,0.5\n",
    );
    expect(set.rows).toEqual([
      row("data.csv row 2", "fine", "pos", { split: "train", group: "p1", weight: 2 }),
      row("data.csv row 3", "dull", "neg", { split: "val", group: "p2" }),
      row("data.csv row 4", "so so", "neg", { weight: 0.5 }),
    ]);
    expect(set.columns).toMatchObject({ text: "Review", label: "sentiment", split: "split" });
    expect(set.encoding).toBe("utf-8");
  });

  it("takes columns by name or number where the settings say so", async () => {
    const table = "a,b,c\nx,one,1\ny,two,2\n";
    expect(told(await read(table, "t.csv", { text: "b", label: "3" }))).toEqual(["1: one", "2: two"]);
  });

  it.each([
    ["commas", "text,label\na;b,x\n", "a;b"],
    ["semicolons", "text;label\na,b;x\n", "a,b"],
    ["tabs", 'text\tlabel\na "b", c\tx\n', 'a "b", c'],
    ["bars", "text|label\na,b|x\n", "a,b"],
  ])("sees %s from the header", async (_, table, first) => {
    expect(told(await read(`${table}q,x\n`.replace("q,x\n", ""), "t.csv"))).toEqual([`x: ${first}`]);
  });

  it("reads quoted cells with delimiters, doubled quotes and line ends inside", async () => {
    const set = await read('text,label\r\n"a, ""b""\r\nc",x\r\n\r\nd,y\r\n');
    expect(told(set)).toEqual(['x: a, "b"\r\nc', "y: d"]);
    expect(set.rows.map((one) => one.where)).toEqual(["data.csv row 2", "data.csv row 4 (line 5)"]);
    expect(set.notes).toEqual(["data.csv: 1 blank lines passed over"]);
  });

  it("takes plain quotes in a tab file as they are, and enclosing ones off", async () => {
    expect(told(await read('ham\t"Gimme" he said\nspam\t"win\nham\tyes"\n', "sms"))).toEqual([
      'ham: "Gimme" he said',
      'spam: "win',
      'ham: yes"',
    ]);
    expect(told(await read('text\tlabel\n"a\tb"\tx\n"c ""d"""\ty\n', "t.tsv"))).toEqual([
      "x: a\tb",
      'y: c "d"',
    ]);
  });

  it("reads a table without a header by the number of its columns", async () => {
    const set = await read(
      ["pos\tit was fine", "neg\tit was dull", "pos\tlovely", "neg\tslow"].join("\n"),
      "reviews",
    );
    expect(told(set)).toEqual(["pos: it was fine", "neg: it was dull", "pos: lovely", "neg: slow"]);
    expect(set.notes).toContain("reviews: no header row; its 2 columns go by number");
  });

  it("takes image paths relative to the table, and nothing that is not a file there", async () => {
    await put({ "photos/a.jpg": image, "photos/b.jpg": image });
    const set = await read("path,label\nphotos/a.jpg,x\n./photos/b.jpg,y\n", "index.csv");
    expect(set.task).toBe("image-classification");
    expect(set.rows.map((one) => one.input)).toEqual([
      { kind: "image", path: join(folder, "photos/a.jpg") },
      { kind: "image", path: join(folder, "photos/b.jpg") },
    ]);
    for (const path of ["photos/none.jpg", "../../../../etc/none.jpg", "photos", "https://a.example/1.jpg"]) {
      await expect(read(`image,label\n${path},x\n`, "bad.csv", { image: "image" })).rejects.toThrow(
        /bad\.csv row 2: image ".*" is (not there|an address)/,
      );
    }
  });

  it("in a folder is read where the images lie in one folder or deep; beside class folders it is left out", async () => {
    await put({ "labels.csv": "path,class\nimages/1.png,a\nimages/2.png,b\n" });
    await put({ "images/1.png": image, "images/2.png": image });
    expect((await readDataset(folder)).rows.map((one) => one.label)).toEqual(["a", "b"]);
    await put({ "cat/1.png": image });
    const set = await readDataset(folder);
    expect(set.classes).toEqual(["cat", "images"]);
    expect(set.notes).toEqual(["the folder: 1 file left out, neither image nor text: labels.csv"]);
  });

  it.each([
    ["", "data.csv: is empty"],
    ["text,label\n", "has a header and no rows"],
    ["text,label\na,x,y\n", "data.csv row 2 has 3 cells where the table has 2 cells; enclose cells"],
    ['text,label\n"a"b,x\n', 'data.csv row 2: a quote closes a cell but "b,x" follows it'],
    ['text,label\n"a,x\nb,y\n', 'data.csv row 2: a cell opens with " that is never closed'],
    ["text,label\na,\n", "data.csv row 2 has no label; label it or take it out"],
    ["text,label,split\na,x,later\n", 'split "later" in column "split" is not one of train, val, test'],
    ["text,label,weight\na,x,-1\n", 'weight "-1" in column "weight" is not a number from 0'],
    ["text,label,text\na,x,b\n", 'columns 1 and 3 are both named "text"; rename one'],
    ["text,path,label\na,1.jpg,x\n", 'has both texts ("text") and images ("path")'],
    ["one,two,three\na,b,c\nd,e,c\nf,g,c\n", 'the columns "one", "two", "three": pass --text or --image'],
    ["text,label\ra,x\rb,y", "its lines end in a lone carriage return"],
  ])("refuses %j: %s", async (table, message) => {
    await expect(read(table)).rejects.toThrow(message);
  });

  it("refuses columns that are not there and labels that name no classes", async () => {
    await expect(read("text,label\na,x\n", "t.csv", { label: "kind" })).rejects.toThrow(
      't.csv: there is no column "kind" for --label; it has the columns "text", "label"',
    );
    const many = Array.from({ length: 200 }, (_, i) => `${i % 2},text ${i}\n`).join("");
    await expect(read(`a,b\n${many}`, "t.csv", { text: "a", label: "b" })).rejects.toThrow(
      'column "b" has 200 different values in 200 rows, so it names no classes',
    );
  });

  it("refuses a label that is not among the classes, and keeps classes without rows", async () => {
    const table = "text,label\na,cat\nb,cta\n";
    await expect(read(table, "t.csv", { classes: "cat, dog" })).rejects.toThrow(
      't.csv row 3: label "cta" is not one of cat, dog; correct it or pass --classes',
    );
    const set = await read(table, "t.csv", { classes: ["dog", "cat"], onError: "skip" });
    expect(set.classes).toEqual(["cat", "dog"]);
    expect(set.skipped).toHaveLength(1);
  });
});

describe("rows that cannot be taken", () => {
  const table = ["text,label", "good,x", "too,many,cells", "fine,y", '"bro"ken,x', ",", "last,y", ""].join(
    "\n",
  );

  it("stop at the first one by default", async () => {
    await expect(read(table)).rejects.toThrow("data.csv row 3 has 3 cells");
  });

  it("are left out and listed with --on-error skip, at no cost to the others", async () => {
    const set = await read(table, "data.csv", { onError: "skip" });
    expect(told(set)).toEqual(["x: good", "y: fine", "y: last"]);
    expect(set.skipped.map((sentence) => /row \d+/.exec(sentence)![0])).toEqual(["row 3", "row 5", "row 6"]);
  });

  it("leave an error with their number where none is left", async () => {
    await expect(read("text,label\na,\nb,\n", "t.csv", { onError: "skip" })).rejects.toThrow(
      "there are no rows to use; 2 were skipped, the first: t.csv row 2 has no label",
    );
  });
});

describe("lines of JSON", () => {
  it("are read by their fields, a missing one being empty, numbers and booleans as text", async () => {
    const set = await read(
      '{"text": "a\\nb", "label": 1, "id": 7}\n\n{"label": true, "text": "c", "more": {"x": [1]}}\n',
      "t.jsonl",
    );
    expect(told(set)).toEqual(["1: a\nb", "true: c"]);
    expect(set.rows[1]!.where).toBe("t.jsonl row 3");
  });

  it.each([
    ['{"text": "a", "label": "x"}\n{"text": "b", "label": "y"\n', "t.jsonl row 2 is no JSON"],
    ['{"text": "a", "label": "x"}\n["b", "y"]\n', 't.jsonl row 2 is JSON but no object: ["b", "y"]'],
    [
      '{"text": "a", "label": ["x"]}\n',
      '"label" holds a list where text, a number or true/false is expected',
    ],
    ['{"text": {"a": 1}, "label": "x"}\n', '"text" holds an object'],
    ['[{"text": "a", "label": "x"}]\n', "holds a JSON array; write one object a line"],
    [`${"[".repeat(100_000)}\n`, "t.jsonl"],
    ['{"text": null, "label": "x"}\n', 't.jsonl row 1 has no text in column "text"'],
  ])("refuses %.60j: %s", async (content, message) => {
    await expect(read(content, "t.jsonl")).rejects.toThrow(message);
  });

  it("keep names that JavaScript's objects have of their own apart", async () => {
    const set = await read(
      '{"__proto__": "p", "text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n',
      "t.jsonl",
    );
    expect(told(set)).toEqual(["x: a", "y: b"]);
    const table = '{"constructor": "a", "label": "x"}\n{"label": "y"}\n';
    await expect(read(table, "t.jsonl", { text: "constructor" })).rejects.toThrow("row 2 has no text");
  });
});

describe("a Parquet table", () => {
  const write = async (sql: string, name = "t.parquet") => {
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    await connection.run(`COPY (${sql}) TO '${join(folder, name)}' (FORMAT parquet)`);
    connection.closeSync();
    return join(folder, name);
  };

  it("is read by its columns, numbers as text", async () => {
    const path = await write(
      `SELECT * FROM (VALUES ('it''s "a", b', 1, 'train'), (E'c\\nd', 2, 'test')) t("text", "label", "split")`,
    );
    const set = await readDataset(path);
    expect(told(set)).toEqual([`1: it's "a", b`, "2: c\nd"]);
    expect(set.rows.map((one) => [one.where, one.split])).toEqual([
      ["t.parquet row 1", "train"],
      ["t.parquet row 2", "test"],
    ]);
  });

  it("is refused where it is broken, packed, something else, or holds bytes where text is expected", async () => {
    const path = await write("SELECT 'a' AS text, 'x'::BLOB AS label");
    await expect(readDataset(path)).rejects.toThrow('column "label" holds BLOB');
    await put({
      "no.parquet": "text,label\n",
      "gz.parquet": gzipSync("x"),
      "cut.parquet": "PAR1 and no more",
    });
    await expect(readDataset(join(folder, "no.parquet"))).rejects.toThrow("does not start with PAR1");
    await expect(readDataset(join(folder, "gz.parquet"))).rejects.toThrow("gzip around Parquet");
    await expect(readDataset(join(folder, "cut.parquet"))).rejects.toThrow("cannot be read");
  });

  it("is found in a folder with a part a file, shards counted", async () => {
    await write("SELECT 'a' AS text, 'x' AS label", "train-00000-of-00002.parquet");
    await write("SELECT 'b' AS text, 'y' AS label", "train-00001-of-00002.parquet");
    await write("SELECT 'c' AS text, 'y' AS label", "test-00000-of-00001.parquet");
    const { rows } = await readDataset(folder);
    expect(rows.map((one) => `${text(one)} ${one.split}`)).toEqual(["c test", "a train", "b train"]);
  });
});

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

describe("an official test set", () => {
  const table = "text,label\na,x\nb,y\n";

  it("given by --test is read as the test part", async () => {
    const path = await put({ "train.csv": table, "held.csv": "text,label\nc,x\n" });
    const { rows } = await readDataset(path, { test: join(folder, "held.csv") });
    expect(rows.map((one) => one.split)).toEqual([null, null, "test"]);
  });

  it("that lies in the data counts once, as test", async () => {
    await put({ "a/1.png": "", "b/1.png": "", "a/held/2.png": "" });
    await put({ "b/held/3.png": "" });
    await expect(readDataset(folder, { test: folder })).rejects.toThrow("is all of the data");
    await rm(join(folder, "a/held"), { recursive: true });
    await put({ "held.csv": "path,label\nb/held/3.png,b\n" });
    const { rows } = await readDataset(folder, { test: join(folder, "held.csv") });
    expect(rows.map((one) => one.split)).toEqual([null, null, "test"]);
  });

  it("beside one that the data have already is refused", async () => {
    const path = await put({ "d/x.csv": "text,label,split\na,x,test\nb,y,train\n", "held.csv": table });
    await expect(readDataset(path, { test: join(folder, "held.csv") })).rejects.toThrow(
      "has 1 test rows of its own; leave out --test",
    );
  });
});

describe("IDX files", () => {
  const idx = (shape: number[], data: number[]) => {
    const head = Buffer.alloc(4 + 4 * shape.length);
    head.writeUInt8(8, 2);
    head.writeUInt8(shape.length, 3);
    for (const [d, extent] of shape.entries()) head.writeUInt32BE(extent, 4 + 4 * d);
    return Buffer.concat([head, Buffer.from(data)]);
  };
  const images = "train-images-idx3-ubyte";
  const labels = "train-labels-idx1-ubyte";

  it("are read in pairs, packed or not, t10k as the test part", async () => {
    await put({
      [`${images}.gz`]: gzipSync(idx([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])),
      [labels]: idx([2], [7, 3]),
    });
    await put({
      "t10k-images-idx3-ubyte": idx([1, 2, 2], [0, 0, 0, 0]),
      "t10k-labels-idx1-ubyte": idx([1], [3]),
    });
    const { rows, classes } = await readDataset(folder);
    expect(classes).toEqual(["3", "7"]);
    expect(rows.map((one) => [one.where, one.label, one.split])).toEqual([
      ["t10k-images-idx3-ubyte row 1", "3", "test"],
      [`${images}.gz row 1`, "7", "train"],
      [`${images}.gz row 2`, "3", "train"],
    ]);
    expect(rows[2]!.input).toMatchObject({ kind: "raw", offset: 20, height: 2, width: 2, channels: 1 });
  });

  it.each([
    [
      "no pair",
      idx([2, 1, 1], [1, 2]),
      idx([1], [0]),
      "2 images and train-labels-idx1-ubyte 1 labels; they are no pair",
    ],
    ["a header that promises more", idx([9, 1, 1], [1, 2]), idx([9], [0]), "ends after 2 of 9 bytes"],
    ["a header that promises less", idx([1, 1, 1], [1, 2]), idx([1], [0]), "holds more bytes than the 1"],
    [
      "a header beyond all bounds",
      idx([4294967295, 65535, 65535], [1]),
      idx([1], [0]),
      "4 GiB at most are read",
    ],
    ["no images", idx([0, 2, 2], []), idx([0], []), "holds no images"],
    ["flat data", idx([2], [1, 2]), idx([2], [1, 2]), "an array of 1 dimensions"],
    ["something else", Buffer.from("not IDX at all"), idx([1], [0]), "is no IDX file"],
    ["half a header", Buffer.from([0, 0, 8]), idx([1], [0]), "ends within its header"],
  ])("are refused with %s", async (_, pixels, classes, message) => {
    await put({ [images]: pixels, [labels]: classes });
    await expect(readDataset(folder)).rejects.toThrow(message);
  });

  it("are refused without labels beside them", async () => {
    const path = await put({ [images]: idx([1, 1, 1], [1]) });
    await expect(readDataset(path)).rejects.toThrow(`expected ${labels} in the same folder`);
  });
});

describe("encodings", () => {
  const bytes = (text: string, encoding: BufferEncoding) => Buffer.from(text, encoding);

  it.each([
    [
      "UTF-8 with a mark",
      Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes("text,label\né,x\n", "utf8")]),
    ],
    ["UTF-16 with a mark", Buffer.concat([Buffer.from([0xff, 0xfe]), bytes("text,label\né,x\n", "utf16le")])],
    ["windows-1252, unmarked", bytes("text,label\nis it é,x\n", "latin1")],
  ])("%s is read as it is", async (_, content) => {
    expect(told(await read(content))[0]).toMatch(/é$/);
  });

  it("windows-1252 is told from damaged UTF-8, and both from other scripts", async () => {
    const note = (await read(bytes("text,label\nun caf\xe9 noir,x\n", "latin1"))).notes;
    expect(note).toEqual([
      'data.csv: 1 line is not UTF-8; read as windows-1252 ("…un café noir,x…"); where that looks wrong, pass --encoding',
    ]);
    const mixed = Buffer.concat([bytes("text,label\nfür,x\n", "utf8"), bytes("caf\xe9,y\n", "latin1")]);
    await expect(read(mixed)).rejects.toThrow(
      "data.csv row 3: byte 0xe9 at position 4 is not UTF-8".replace("3: ", "3 "),
    );
    const set = await read(mixed, "data.csv", { onError: "skip" });
    expect(told(set)).toEqual(["x: für"]);
    const chinese = Buffer.from([0xd6, 0xd0, 0xce, 0xc4, 0xba, 0xc3, 0xb5, 0xc4]);
    const gb = Buffer.concat([bytes("text,label\n", "utf8"), chinese, bytes(",x\n", "utf8")]);
    await expect(read(gb)).rejects.toThrow('("…中文好的,x…"), pass --encoding gb18030');
    expect(told(await read(gb, "data.csv", { encoding: "gb18030" }))).toEqual(["x: 中文好的"]);
    const russian = Buffer.concat([
      bytes("text,label\n", "utf8"),
      Buffer.from([0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2]),
      bytes(",x\n", "utf8"),
    ]);
    await expect(read(russian)).rejects.toThrow("is not UTF-8");
    expect(told(await read(russian, "data.csv", { encoding: "windows-1251" }))).toEqual(["x: Привет"]);
  });

  it("an encoding that is none, or a NUL byte, is refused", async () => {
    await expect(read("text,label\na,x\n", "t.csv", { encoding: "klingon" })).rejects.toThrow(
      't.csv: there is no encoding "klingon"',
    );
    await expect(read("text,label\na\0b,x\n")).rejects.toThrow(
      "data.csv row 2 holds a NUL byte at position 2",
    );
  });

  it("lines end in line feeds alone: U+0085 and U+2028 stay in their texts", async () => {
    expect(told(await read("text\tlabel\na\u0085b\u2028c\tx\n", "t.tsv"))).toEqual(["x: a\u0085b\u2028c"]);
  });
});

describe("gzip", () => {
  it("is known by its bytes, whatever the name", async () => {
    const table = gzipSync("text,label\na,x\n");
    expect(told(await read(table, "t.csv.gz"))).toEqual(["x: a"]);
    expect(told(await read(table, "t.csv"))).toEqual(["x: a"]);
    expect(told(await read(gzipSync('{"text":"a","label":"x"}'), "t.jsonl.gz"))).toEqual(["x: a"]);
  });

  it("that breaks off is refused", async () => {
    const table = gzipSync(`text,label\n${"a,x\n".repeat(1000)}`);
    await expect(read(table.subarray(0, table.length - 20), "t.csv.gz")).rejects.toThrow(
      "the gzip data are broken",
    );
  });

  it("of a line without end is refused within bounded memory", async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 2 ** 20, "a"));
    expect(bomb.length).toBeLessThan(2 ** 20);
    await expect(read(bomb, "bomb.csv.gz")).rejects.toThrow("longer than 16 MiB");
    await put({ "c/a/1.txt": "fine", "c/b/1.txt": bomb });
    await expect(readDataset(join(folder, "c"))).rejects.toThrow(
      "b/1.txt: holds more than 16 MiB once unpacked",
    );
  });
});

describe("what is no data set", () => {
  it.each([
    ["a.zip", "is an archive; unpack it first"],
    ["a.xlsx", "is a spreadsheet; save it as CSV"],
    ["a.pkl", "is a pickle, which can run code when read"],
    ["a.json", "write one object a line"],
    ["a.conllu", "where CoNLL-U has 10"],
    ["a.png", "is one image"],
  ])("%s: %s", async (name, message) => {
    await expect(read("x", name)).rejects.toThrow(message);
  });

  it("is named: a path that is not there, an empty folder", async () => {
    await expect(readDataset(join(folder, "nowhere"))).rejects.toThrow("there is no such file or folder");
    await expect(readDataset(folder)).rejects.toThrow("this folder is empty");
  });
});

function row(where: string, content: string, label: string, more: Partial<Row> = {}): Row {
  return {
    where,
    input: { kind: "text", text: content },
    label,
    split: null,
    group: null,
    weight: 1,
    ...more,
  };
}
