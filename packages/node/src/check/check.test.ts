import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { CheckReport, Dataset } from "@graft-ml/core";
import { partsOf, random } from "@graft-ml/core";
import sharp, { type Sharp } from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readDataset } from "../data/index.ts";
import { checkDataset, nearDuplicateGroups } from "./index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-check-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

/** What a table of texts is found to be. */
async function checked(table: string, options = {}): Promise<CheckReport> {
  await put({ "t.csv": table });
  return await checkDataset(await readDataset(join(folder, "t.csv"), { onError: "skip", ...options }));
}
const kinds = ({ findings }: Pick<CheckReport, "findings">) =>
  Object.fromEntries(findings.map((finding) => [finding.kind, finding.count]));
const finding = ({ findings }: CheckReport, kind: string) => findings.find((one) => one.kind === kind)!;
/** Rows enough of two classes that nothing else is found. */
const filler = (columns = "") =>
  Array.from({ length: 12 }, (_, i) => {
    const subject = [
      "garden",
      "harbour",
      "violin",
      "glacier",
      "bakery",
      "tunnel",
      "meadow",
      "library",
      "volcano",
    ];
    const word = subject[i % 9]! + (i > 8 ? subject[i - 9] : "");
    return `${word} ${word.length} is what row ${i * 37} tells of ${word},a${columns}\n${word}s ${i * 91} seen from ${word} ${i},b${columns}\n`;
  }).join("");

describe("texts", () => {
  it("without a fault are found to have none", async () => {
    const report = await checked(`text,label\n${filler()}`);
    expect(report.findings).toEqual([]);
    expect(report.classes).toEqual([
      { name: "a", total: 12, train: 0, val: 0, test: 0, none: 12 },
      { name: "b", total: 12, train: 0, val: 0, test: 0, none: 12 },
    ]);
  });

  it("that stand in train and test are a problem, nearly the same ones a warning", async () => {
    const report = await checked(
      `text,label,split\n${filler(",train")}` +
        "Where is my parcel today?,a,train\nwhere is  my PARCEL today?,a,test\n" +
        "My invoice of last week shows the wrong street name,b,train\n" +
        "My invoice of last week shows the wrong street names!,b,test\n" +
        "Entirely different words,b,test\n",
    );
    expect(kinds(report)).toEqual({
      "test-overlap": 1,
      "near-test-overlap": 1,
      duplicates: 1,
      "near-duplicates": 2,
    });
    expect(finding(report, "test-overlap")).toMatchObject({
      severity: "problem",
      message: "1 of 3 test rows also stand in a part that is trained or chosen on",
      examples: [{ rows: ["t.csv row 26", "t.csv row 27"] }],
    });
    expect(finding(report, "near-test-overlap").severity).toBe("warning");
  });

  it("with two labels for one input, or for nearly one, are named with both", async () => {
    const report = await checked(
      `text,label\n${filler()}It works well.,a\nit works well.,b\n` +
        "The second delivery arrived three days later than you promised,a\n" +
        "The second delivery arrived three days later than you promised me,b\n",
    );
    expect(finding(report, "label-conflict")).toMatchObject({ severity: "warning", count: 2 });
    expect(finding(report, "label-conflict").examples[0]!.detail).toBe(
      "a: It works well. | b: it works well.",
    );
    expect(finding(report, "near-label-conflict").count).toBe(1);
  });

  it("that are empty, short, long or damaged are told apart", async () => {
    const report = await checked(
      `text,label\n${filler()}" ",a\nok,b\n好,a\n好的,b\n${"long words ".repeat(300)},a\n${"汉字".repeat(300)}好,b\ncafÃ© and donâ€™t,a\nlost \uFFFD one,b\n`,
    );
    expect(kinds(report)).toEqual({
      "empty-text": 1,
      "short-text": 2,
      "long-text": 2,
      "damaged-text": 2,
    });
  });

  it("of a declared group in several parts are a problem", async () => {
    const report = await checked(
      `text,label,split,group\n${filler(",train,")}One text,a,train,p1\nAnother thing,a,test,p1\nThird word,b,test,p2\n`,
    );
    expect(finding(report, "group-overlap")).toMatchObject({
      count: 1,
      severity: "problem",
      examples: [{ rows: ["t.csv row 26", "t.csv row 27"], detail: "p1: train, test" }],
    });
  });

  it("of few or uneven classes, or tested and never trained, are named by class", async () => {
    const many = Array.from(
      { length: 60 },
      (_, i) => `${(i * 7919).toString(36).repeat(4)} ${i},big,train\n`,
    ).join("");
    const report = await checked(`text,label,split\n${many}quite alone,tiny,train\nunseen before,new,test\n`);
    expect(kinds(report)).toMatchObject({
      "untrained-class": 1,
      "untested-class": 2,
      "tiny-class": 1,
      imbalance: 2,
    });
    expect(finding(report, "tiny-class")).toMatchObject({
      severity: "problem",
      examples: [{ detail: "tiny: 1 training row" }],
    });
    expect(finding(report, "imbalance").message).toContain("60 times");
    expect(report.findings.map((one) => one.severity)).toEqual(
      [...report.findings.map((one) => one.severity)].sort(bySeverity),
    );
  });

  it("that cannot be taken are counted, those without a label apart", async () => {
    const report = await checked(`text,label\n${filler()}one,two,three\nno label,\n`);
    expect(kinds(report)).toEqual({ "unreadable-rows": 1, "unlabelled-rows": 1 });
    expect(finding(report, "unreadable-rows").examples[0]!.detail).toContain("t.csv row 26 has 3 cells");
  });
});

const bySeverity = (a: string, b: string) =>
  ["problem", "warning", "note"].indexOf(a) - ["problem", "warning", "note"].indexOf(b);

/** A photo-like picture of soft blobs in colour. */
function photo(seed: number, width = 160, height = 120): Sharp {
  const { uniform } = random(seed);
  const data = new Uint8Array(width * height * 3);
  const blobs = Array.from({ length: 12 }, () => [
    uniform() * width,
    uniform() * height,
    8 + uniform() * 25,
    uniform() * 3,
  ]);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (const [bx, by, r, c] of blobs) {
        const at = (y * width + x) * 3 + Math.floor(c!);
        const light = 200 * Math.exp(-((x - bx!) ** 2 + (y - by!) ** 2) / (2 * r! * r!));
        data[at] = Math.min(255, data[at]! + light);
      }
  return sharp(data, { raw: { width, height, channels: 3 } });
}

const folderOf = async (files: Record<string, Uint8Array>): Promise<Dataset> => {
  await put(files);
  return await readDataset(folder);
};
const jpeg = (image: Sharp, quality = 90) => image.jpeg({ quality }).toBuffer();

/** Ten different photos of each of two classes. */
async function photos(): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (let i = 0; i < 10; i++) {
    files[`train/a/${i}.jpg`] = await jpeg(photo(i));
    files[`train/b/${i}.jpg`] = await jpeg(photo(100 + i));
  }
  files["test/a/0.jpg"] = await jpeg(photo(200));
  files["test/b/0.jpg"] = await jpeg(photo(201));
  return files;
}

describe("images", () => {
  it("without a fault are found to have none", async () => {
    expect((await checkDataset(await folderOf(await photos()))).findings).toEqual([]);
  });

  it("that are the same file, compressed again or scaled are found across parts; mirrored and turned ones are not", async () => {
    const files = await photos();
    files["test/a/same.jpg"] = files["train/a/1.jpg"]!;
    files["test/a/again.jpg"] = await jpeg(photo(2), 40);
    files["test/a/half.png"] = await photo(3).resize(80, 60).png().toBuffer();
    files["test/a/double.webp"] = await photo(4).resize(320, 240).webp().toBuffer();
    files["test/a/mirrored.jpg"] = await jpeg(photo(5).flop());
    files["test/a/turned.jpg"] = await jpeg(photo(6).rotate(180));
    const report = await checkDataset(await folderOf(files));
    expect(kinds(report)).toMatchObject({ "test-overlap": 1, "near-test-overlap": 3 });
    expect(report.duplicates.exact).toHaveLength(1);
    const near = finding(report, "near-test-overlap").examples.map((example) => example.rows.toSorted());
    expect(near.toSorted()).toEqual([
      ["test/a/again.jpg", "train/a/2.jpg"],
      ["test/a/double.webp", "train/a/4.jpg"],
      ["test/a/half.png", "train/a/3.jpg"],
    ]);
  });

  it("that are broken are named with the reason and stop nothing", async () => {
    const files = await photos();
    files["train/a/cut.jpg"] = files["train/a/0.jpg"]!.subarray(0, 900);
    files["train/a/empty.png"] = new Uint8Array(0);
    files["train/b/text.jpg"] = Buffer.from("not an image");
    const report = await checkDataset(await folderOf(files));
    const broken = finding(report, "broken-image");
    expect(broken).toMatchObject({ severity: "problem", count: 3 });
    expect(broken.examples.map((example) => example.rows[0])).toEqual([
      "train/a/cut.jpg",
      "train/a/empty.png",
      "train/b/text.jpg",
    ]);
    expect(broken.examples[1]!.detail).toContain("it is empty");
  });

  it("that are blank, long, small or of another mode are noted", async () => {
    const files = await photos();
    const plain = { width: 90, height: 80, channels: 3, background: "#336699" } as const;
    files["train/a/blank.png"] = await sharp({ create: plain }).png().toBuffer();
    files["train/a/long.jpg"] = await jpeg(photo(301, 400, 100));
    files["train/b/small.jpg"] = await jpeg(photo(302).resize(24, 18));
    files["train/b/grey.jpg"] = await jpeg(photo(303).toColourspace("b-w"));
    const report = await checkDataset(await folderOf(files));
    expect(kinds(report)).toEqual({ "blank-image": 1, "odd-aspect": 1, "small-image": 1, "mixed-modes": 1 });
    expect(finding(report, "mixed-modes").examples).toEqual([{ rows: ["train/b/grey.jpg"], detail: "grey" }]);
    expect(finding(report, "odd-aspect").examples).toEqual([
      { rows: ["train/a/long.jpg"], detail: "400 × 100" },
    ]);
  });

  it("are looked at with an end to it: an abort stops", async () => {
    const dataset = await folderOf(await photos());
    const stop = new AbortController();
    const checking = checkDataset(dataset, { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(checking).rejects.toThrow("abort");
  });
});

describe("keys of near duplicates for a split", () => {
  it("keep an image and its copy on one side, and texts too", async () => {
    const files: Record<string, Uint8Array> = {};
    for (let i = 0; i < 12; i++) {
      files[`a/${i}.jpg`] = await jpeg(photo(i));
      files[`b/${i}.jpg`] = await jpeg(photo(100 + i));
      if (i < 4) files[`a/${i}-copy.png`] = await photo(i).resize(100, 75).png().toBuffer();
    }
    const dataset = await folderOf(files);
    const keys = await nearDuplicateGroups(dataset.rows);
    for (let seed = 0; seed < 10; seed++) {
      const test = new Set(partsOf(dataset, { seed, keys }).test);
      const side = (where: string) => test.has(dataset.rows.findIndex((row) => row.where === where));
      for (let i = 0; i < 4; i++) expect(side(`a/${i}.jpg`)).toBe(side(`a/${i}-copy.png`));
    }
    expect(new Set(keys).size).toBe(24);
    await put({ "t.csv": "text,label\nWhere is my parcel today?,a\nWhere is my parcel today!!,b\nno,a\n" });
    const [one, two, three] = await nearDuplicateGroups((await readDataset(join(folder, "t.csv"))).rows);
    expect(one).toBe(two);
    expect(three).not.toBe(one);
  });
});
