import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type ReadOptions, readDataset } from "./read.ts";

async function written(name: string, content: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "graft-tokens-")), name);
  await writeFile(path, name.endsWith(".gz") ? gzipSync(content) : content);
  return path;
}

async function read(name: string, content: string, options: ReadOptions = {}) {
  return await readDataset(await written(name, content), options);
}

const chunks = `He PRP B-NP
reckons VBZ B-VP
the DT B-NP
deficit NN I-NP

It PRP B-NP
fell VBD B-VP
. . O
`;

const universal = (rows: readonly string[]) => `# newdoc id = one
# text = Don't go.
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
${rows.join("\n")}

`;
const tree = universal([
  "1\tDo\tdo\tAUX\tVBP\t_\t3\taux\t_\t_",
  "2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_",
  "2.1\tyou\tyou\tPRON\tPRP\t_\t_\t_\t3:nsubj\t_",
  "3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\tSpaceAfter=No",
  "4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\t_",
]);

describe("CoNLL columns", () => {
  test("are seen without flags: tokens first, tags last, blank lines between sentences", async () => {
    const { task, classes, rows, format } = await read("train.txt", chunks);
    expect(task).toBe("token-classification");
    expect(format).toBe("conll");
    expect(classes).toEqual(["B-NP", "B-VP", "I-NP", "O"]);
    expect(rows.map(({ tokens }) => tokens!.texts)).toEqual([
      ["He", "reckons", "the", "deficit"],
      ["It", "fell", "."],
    ]);
    expect(rows[1]!.input).toEqual({ kind: "text", text: "It fell ." });
    expect([...rows[1]!.tokens!.starts]).toEqual([0, 3, 8]);
    expect(rows[1]!.where).toBe("train.txt line 6");
  });
  test("give other tags where --column names another column", async () => {
    expect((await read("train.txt", chunks, { column: "tag=2" })).classes).toEqual([
      ".",
      "DT",
      "NN",
      "PRP",
      "VBD",
      "VBZ",
    ]);
    expect((await read("train.txt", chunks, { column: "token=2,tag=-1" })).rows[0]!.tokens!.texts[0]).toBe(
      "PRP",
    );
  });
  test("are read with tabs, gzipped and as parts by the names of files", async () => {
    const path = await written("set.conll.train.gz", chunks.replaceAll(" ", "\t"));
    const folder = join(path, "..");
    await writeFile(join(folder, "set.conll.dev"), chunks);
    const { rows } = await readDataset(folder, { column: "tag=3" });
    expect(rows.map(({ split }) => split)).toEqual(["val", "val", "train", "train"]);
  });
  test("name file and line where a line has other columns", async () => {
    const broken = chunks.replace("fell VBD B-VP", "fell VBD");
    await expect(read("train.conll", broken)).rejects.toThrow(
      "train.conll line 7: has 2 columns where line 1 has 3; correct the line, or put a blank one between sentences".replace(
        "line 7:",
        "line 7",
      ),
    );
    const { rows, skipped } = await read("train.conll", broken, { onError: "skip" });
    expect([rows.length, skipped.length]).toEqual([1, 1]);
  });
  test("refuse columns that are not there, names and a column 0", async () => {
    await expect(read("a.conll", chunks, { column: "tag=4" })).rejects.toThrow(
      /has 3 columns, and --column names tag=4/,
    );
    await expect(read("a.conll", chunks, { column: "tag=upos" })).rejects.toThrow(/columns have no names/);
    await expect(read("a.conll", chunks, { column: "tag=0" })).rejects.toThrow(/count from 1/);
    await expect(read("a.conll", chunks, { column: "pos=2" })).rejects.toThrow(
      /not token=COLUMN or tag=COLUMN/,
    );
    await expect(read("a.conll", "a\nb\n\nc\n")).rejects.toThrow(/no column of tags/);
    await expect(read("a.conll", "\n\n")).rejects.toThrow(/is empty/);
  });
  test("hold Chinese by characters, the place in the word taken off", async () => {
    const { rows, notes } = await read("weibo.conll", "科0\tB-ORG\n技1\tI-ORG\n的0\tO\n\n好0\tO\n");
    expect(rows[0]!.tokens!.texts).toEqual(["科", "技", "的"]);
    expect(rows[0]!.input).toEqual({ kind: "text", text: "科技的" });
    expect(notes!.join()).toMatch(/place in a word/);
  });
  test("tell of spans that are not written as their scheme asks, and refuse two schemes", async () => {
    const { notes } = await read("a.conll", "a B-X\nb I-X\n\nc I-X\nd O\n\ne B-X\n");
    expect(notes!.join()).toMatch(
      /1 of 3 spans are not written as BIO asks \(first: a.conll line 4, token 1\)/,
    );
    await expect(read("a.conll", "a B-X\nb M-X\nc E-X\n\nd U-X\n")).rejects.toThrow(/mix of schemes/);
  });
  test("do not take tables for tokens", async () => {
    const table = "text\tlabel\na fine film\tpos\na dull film\tneg\n";
    expect((await read("a.tsv", table)).task).toBe("text-classification");
    expect((await read("a.txt", table)).task).toBe("text-classification");
  });
});

describe("CoNLL-U", () => {
  test("gives upos of words that are written, and their text", async () => {
    const { classes, rows } = await read("a.conllu", tree);
    expect(classes).toEqual(["AUX", "PART", "PUNCT", "VERB"]);
    expect(rows[0]!.tokens!.texts).toEqual(["Do", "n't", "go", "."]);
    expect(rows[0]!.input).toEqual({ kind: "text", text: "Do n't go." });
    expect(rows[0]!.group).toBe("one");
  });
  test("gives another field, by name or number", async () => {
    expect((await read("a.conllu", tree, { column: "tag=xpos" })).rows[0]!.tokens!.tags).toEqual([
      "VBP",
      "RB",
      "VB",
      ".",
    ]);
    expect((await read("a.conllu", tree, { column: "token=lemma,tag=8" })).rows[0]!.tokens).toMatchObject({
      texts: ["do", "not", "go", "."],
      tags: ["aux", "advmod", "root", "punct"],
    });
    await expect(read("a.conllu", tree, { column: "tag=pos" })).rejects.toThrow(/has the fields id, form/);
  });
  test("names file and line of what is no CoNLL-U", async () => {
    await expect(read("a.conllu", tree.replace("3\tgo", "4\tgo"))).rejects.toThrow(
      /a.conllu line 7 has the id "4" where 3 is due/,
    );
    await expect(read("a.conllu", tree.replace("\t_\tSpaceAfter=No", ""))).rejects.toThrow(
      /line 7 has 8 fields/,
    );
    await expect(read("a.conllu", tree.replace(/\t(AUX|PART|VERB|PUNCT|PRON)\t/g, "\t_\t"))).rejects.toThrow(
      /no token has a upos; choose another field/,
    );
  });
  const nested = `# global.Entity = GRP-etype-infstat\n${[
    "Entity=(1-person-new(2-place-giv)",
    "_",
    "SpaceAfter=No|Entity=1)",
    "Entity=(3-time)",
    "Entity=(4-event-new",
  ]
    .map((misc, i) => `${i + 1}\tw${i}\t_\tX\t_\t_\t_\t_\t_\t${misc}`)
    .join("\n")}\n\n1\tw\t_\tX\t_\t_\t_\t_\t_\tEntity=4)\n`;
  test("gives entity spans, the outermost or the innermost of nested ones", async () => {
    const outer = await read("a.conllu", nested, { column: "tag=entity" });
    expect(outer.rows.map(({ tokens }) => tokens!.tags)).toEqual([
      ["B-person", "I-person", "I-person", "B-time", "B-event"],
      ["O"],
    ]);
    const inner = await read("a.conllu", nested, { column: "tag=entity-inner" });
    expect(inner.rows[0]!.tokens!.tags!.slice(0, 3)).toEqual(["B-place", "O", "O"]);
  });
});

describe("JSONL", () => {
  test("with tokens and tags", async () => {
    const { task, rows } = await read(
      "a.jsonl",
      '{"tokens": ["Ann", "left", "."], "ner_tags": ["B-PER", "O", "O"]}\n{"tokens": ["Go"], "ner_tags": ["O"]}\n',
    );
    expect(task).toBe("token-classification");
    expect(rows[0]!.tokens!.tags).toEqual(["B-PER", "O", "O"]);
  });
  test("with a text and character spans, as Prodigy, doccano and Label Studio write them", async () => {
    const forms = [
      '{"text": "Ann Lee left Rome.", "spans": [{"start": 0, "end": 7, "label": "PER"}, {"start": 13, "end": 17, "label": "LOC"}], "answer": "accept"}',
      '{"text": "Ann Lee left Rome.", "label": [[0, 7, "PER"], [13, 17, "LOC"]]}',
      '{"data": {"text": "Ann Lee left Rome."}, "annotations": [{"result": [{"value": {"start": 0, "end": 7, "labels": ["PER"]}}, {"value": {"start": 13, "end": 17, "labels": ["LOC"]}}]}]}',
    ];
    for (const form of forms) {
      const { rows } = await read("a.jsonl", `${form}\n`);
      expect(rows[0]!.tokens!.texts).toEqual(["Ann", "Lee", "left", "Rome", "."]);
      expect(rows[0]!.tokens!.tags).toEqual(["B-PER", "I-PER", "O", "B-LOC", "O"]);
      expect([...rows[0]!.tokens!.starts]).toEqual([0, 4, 8, 13, 17]);
    }
  });
  test("cuts words where a span ends inside, Chinese by characters, and says so", async () => {
    const { rows, notes } = await read(
      "a.jsonl",
      '{"text": "我在北京", "spans": [{"start": 2, "end": 4, "label": "LOC"}]}\n{"text": "preWAR", "spans": [{"start": 3, "end": 6, "label": "X"}]}\n',
    );
    expect(rows[0]!.tokens!.texts).toEqual(["我", "在", "北", "京"]);
    expect(rows[1]!.tokens!.texts).toEqual(["pre", "WAR"]);
    expect(notes!.join()).toMatch(/1 words were cut in two/);
  });
  test("names file and line of spans that overlap or lie outside, and of tags too few", async () => {
    const first = '{"text": "Ann", "spans": []}\n';
    const spans = (list: string) => read("a.jsonl", `${first}{"text": "Ann Lee", "spans": [${list}]}\n`);
    await expect(
      spans('{"start": 0, "end": 5, "label": "A"}, {"start": 4, "end": 7, "label": "B"}'),
    ).rejects.toThrow(/a.jsonl line 2 has overlapping spans 0–5 \(A\) and 4–7 \(B\)/);
    await expect(spans('{"start": 4, "end": 9, "label": "A"}')).rejects.toThrow(
      /does not lie in its text of 7/,
    );
    await expect(
      read("a.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": ["a", "b"], "tags": ["O"]}\n'),
    ).rejects.toThrow(/a.jsonl line 2 has 2 tokens and 1 tags/);
  });
  test("leaves classification with a label column alone", async () => {
    const rows = Array.from({ length: 4 }, (_, i) => `{"text": "t${i}", "label": "${i % 2}"}\n`).join("");
    expect((await read("a.jsonl", rows)).task).toBe("text-classification");
  });
});

test("unlabelled sentences are read to predict, their lines kept", async () => {
  const path = await written("a.conll", "He\nleft\n\nIt\n");
  const { rows } = await readDataset(path, { labels: "optional" });
  expect(rows[0]!.tokens).toMatchObject({ texts: ["He", "left"], tags: null, lines: ["He", "left"] });
  await mkdir(join(path, "..", "x"));
});

test("columns are seen in a file with a broken line, which is named, or left out with its sentence", async () => {
  const many = `${chunks}\n`.repeat(10).split("\n");
  many[20] = "deficit";
  const content = many.join("\n");
  await expect(read("a.txt", content)).rejects.toThrow("a.txt line 21 has 1 column where line 1 has 3");
  const { rows, skipped } = await read("a.txt", content, { onError: "skip" });
  expect([rows.length, skipped.length]).toEqual([19, 1]);
});

test("tokens without tags are read where tags are to be given, and refused where they are learnt", async () => {
  const line = '{"tokens": ["Ann", "left"]}\n';
  const { rows } = await read("a.jsonl", line, { labels: "optional" });
  expect(rows[0]!.tokens).toMatchObject({ texts: ["Ann", "left"], tags: null });
  await expect(read("a.jsonl", line)).rejects.toThrow(/a.jsonl/);
});
