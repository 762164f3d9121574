import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { folder, image, put, told } from "../../../../test/data-files.ts";
import { readDataset } from "./read.ts";

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
