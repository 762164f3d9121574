import { rm } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { folder, put, read, told } from "../../../../test/data-files.ts";
import { readDataset } from "./read.ts";

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
