import { createHash } from "node:crypto";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance, FLOAT, LIST, listValue } from "@duckdb/node-api";
import { InputError, type Matrix, npyHeader, type Preprocessor, type Row } from "@graft-ml/core";
import { place } from "./segments.ts";

/** Forms features are written in: NumPy's arrays, or tables with a row's name, label and features. */
export type FeatureFormat = "npy" | "parquet";

interface Output {
  readonly rows: readonly Row[];
  readonly output: string;
  readonly format?: FeatureFormat;
  readonly kept: Int32Array;
  readonly dimension: number;
  readonly modelHash: string;
  readonly layer: string;
  readonly preprocessor: Preprocessor;
  read(from: number, to: number): Promise<Matrix>;
}

/** Bytes of features in one file, at most. */
const SHARD_BYTES = 2 ** 26;
const OURS = /^(features-\d{5}\.(npy|parquet)|rows\.jsonl|manifest\.json|\.work|.*\.part)$/;

/**
 * Writes features in the order of the rows as files of bounded size, with rows.jsonl (what each row is) and, last,
 * manifest.json. The same features make the same bytes. A folder that holds other things is refused.
 */
export async function writeOutput(given: Output): Promise<void> {
  const { output, kept, dimension, format = "npy", rows } = given;
  await mkdir(output, { recursive: true });
  const foreign = (await readdir(output)).filter((name) => !OURS.test(name));
  if (foreign.length > 0)
    throw new InputError(
      `${output} holds other files already (${foreign.slice(0, 3).join(", ")}); choose an empty or new folder`,
    );
  // Without a manifest the folder does not pass for finished while it is written again.
  for (const name of await readdir(output))
    if (name !== ".work") await rm(join(output, name), { force: true });
  const size = Math.max(1, Math.floor(SHARD_BYTES / Math.max(1, dimension * 4)));
  const shards: { file: string; rows: number; sha256: string }[] = [];
  for (let from = 0; from < kept.length; from += size) {
    const to = Math.min(kept.length, from + size);
    const features = await given.read(from, to);
    const bytes = new Uint8Array(features.data.buffer, features.data.byteOffset, features.data.byteLength);
    const file = `features-${String(shards.length).padStart(5, "0")}.${format}`;
    if (format === "npy") await place(join(output, file), [npyHeader([features.rows, dimension]), bytes]);
    else
      await writeParquet(
        join(output, file),
        features,
        Array.from(kept.subarray(from, to), (i) => rows[i]!),
      );
    shards.push({ file, rows: features.rows, sha256: createHash("sha256").update(bytes).digest("hex") });
  }
  await place(join(output, "rows.jsonl"), lines(rows, kept));
  const manifest = {
    format: `graft-features-${format}`,
    version: 1,
    rows: kept.length,
    dimension,
    dtype: "float32",
    layer: given.layer,
    modelSha256: given.modelHash,
    preprocessing: given.preprocessor.fingerprint,
    shards,
  };
  await place(join(output, "manifest.json"), [Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)]);
}

function* lines(rows: readonly Row[], kept: Int32Array): Generator<Uint8Array> {
  let text = "";
  for (const i of kept) {
    const { where, label, split, group, weight } = rows[i]!;
    text += `${JSON.stringify({ where, label, split, group, weight })}\n`;
    if (text.length > 2 ** 20) {
      yield Buffer.from(text);
      text = "";
    }
  }
  yield Buffer.from(text);
}

async function writeParquet(path: string, features: Matrix, rows: readonly Row[]): Promise<void> {
  const { columns, data } = features;
  const temporary = `${path}.part`;
  const database = await DuckDBInstance.create(":memory:", { threads: "1" });
  try {
    const connection = await database.connect();
    const table = "create table features (path varchar, label varchar, split varchar, value float[])";
    await connection.run(table);
    const appender = await connection.createAppender("features");
    for (const [i, { where, label, split }] of rows.entries()) {
      appender.appendVarchar(where);
      if (label === null) appender.appendNull();
      else appender.appendVarchar(label);
      if (split === null) appender.appendNull();
      else appender.appendVarchar(split);
      appender.appendList(listValue(Array.from(data.subarray(i * columns, (i + 1) * columns))), LIST(FLOAT));
      appender.endRow();
    }
    appender.closeSync();
    const quoted = temporary.replaceAll("'", "''");
    await connection.run(
      `copy (select path, label, split, value as features from features) to '${quoted}' (format parquet)`,
    );
    connection.closeSync();
  } finally {
    database.closeSync();
  }
  await rename(temporary, path);
}
