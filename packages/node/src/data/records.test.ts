import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { folder, put, read, text, told } from "../../../../test/data-files.ts";
import { readDataset } from "./read.ts";

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
