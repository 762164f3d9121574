import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { folder, image, put, read, row, told } from "../../../../test/data-files.ts";
import { readDataset } from "./read.ts";

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
