import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { InputError, type Matrix, type Row, row as rowOf } from "@graft-ml/core";
import sharp from "sharp";
import { readRawImage } from "../images/index.ts";
import { shortestFloat32 } from "./floats.ts";
import { jsonText, readRunJson, runFiles } from "./folder.ts";

/** Inputs a RUN keeps to prove, anywhere, that decoding, preprocessing and network still say the same. */
export interface Golden {
  /** Largest difference of a number that passes; processors of other kinds round differently in the last digits. */
  readonly tolerance: number;
  readonly rows: readonly GoldenRow[];
}

/**
 * One raw input, whole: a text, or the bytes of an image file in base64, with the probabilities [C] expected
 * of it; of a network without classes, its features [D].
 */
export interface GoldenRow {
  readonly where: string;
  readonly text?: string;
  readonly image?: string;
  /** Ending of the image's file, ".jpg". */
  readonly extension?: string;
  /** Of the text in UTF-8 or the image's bytes. */
  readonly sha256: string;
  readonly probabilities?: readonly number[];
  readonly features?: readonly number[];
}

/** What a network says of golden inputs. */
export type GoldenOutput = "probabilities" | "features";

const COUNT = 32;
const TOLERANCE = 1e-4;
/** Larger image files are kept as a small copy, and the copy is what is replayed. */
const LARGEST_FILE = 24 * 1024;
const COPY_SIDE = 256;

/**
 * Makes golden inputs of up to 32 rows spread evenly over those given; `run` gives the output [n, C] of rows.
 * Features pass within a ten-thousandth of the largest of them.
 */
export async function makeGolden(
  rows: readonly Row[],
  run: (rows: readonly Row[]) => Promise<Matrix>,
  output: GoldenOutput = "probabilities",
): Promise<Golden> {
  const count = Math.min(COUNT, rows.length);
  const chosen = Array.from({ length: count }, (_, i) => rows[Math.floor((i * rows.length) / count)]!);
  const kept = await Promise.all(chosen.map(rawInput));
  return await inTemporaryFolder(async (folder) => {
    const values = await run(await restored(kept, folder));
    const most = output === "features" ? values.data.reduce((a, b) => Math.max(a, Math.abs(b)), 1) : 1;
    return {
      tolerance: Number((TOLERANCE * most).toPrecision(3)),
      rows: kept.map((one, i) => ({
        ...one,
        [output]: Array.from(rowOf(values, i), (p) => Number(shortestFloat32(p))),
      })),
    };
  });
}

/** What replaying found: the largest difference and the inputs beyond the tolerance. */
export interface Replay {
  readonly rows: number;
  readonly largestDifference: number;
  readonly tolerance: number;
  readonly drifted: readonly {
    readonly where: string;
    readonly difference: number;
    readonly expected: readonly number[];
    readonly got: readonly number[];
  }[];
}

/** Replays golden inputs through `run` and compares. */
export async function replay(
  { rows, tolerance }: Golden,
  run: (rows: readonly Row[]) => Promise<Matrix>,
): Promise<Replay> {
  return await inTemporaryFolder(async (folder) => {
    const values = await run(await restored(rows, folder));
    const compared = rows.map(({ where, probabilities, features }, i) => {
      const expected = probabilities ?? features ?? [];
      const got = Array.from(rowOf(values, i), (p) => Number(shortestFloat32(p)));
      const difference =
        got.length === expected.length
          ? Math.max(
              ...got.map((p, c) => (Number.isNaN(p) ? Number.POSITIVE_INFINITY : Math.abs(p - expected[c]!))),
            )
          : Number.POSITIVE_INFINITY;
      return { where, difference, expected, got };
    });
    return {
      rows: rows.length,
      largestDifference: Math.max(0, ...compared.map(({ difference }) => difference)),
      tolerance,
      drifted: compared.filter(({ difference }) => !(difference <= tolerance)),
    };
  });
}

/** Reads golden.json of a RUN, or what it has for one of several tasks; every input's hash is checked. */
export async function readGolden(folder: string, task: string | null = null): Promise<Golden> {
  const where = join(folder, runFiles.golden);
  const read = (await readRunJson(folder, runFiles.golden)) as
    | (Golden & { tasks?: Record<string, Golden> })
    | null;
  const golden = task === null ? read : (read?.tasks?.[task] ?? null);
  if (!Array.isArray(golden?.rows) || golden.rows.length === 0 || typeof golden.tolerance !== "number")
    throw new InputError(`${where} has no golden inputs; train again`);
  for (const row of golden.rows) {
    const isText = typeof row.text === "string";
    if (!isText && (typeof row.image !== "string" || !/^\.[a-z0-9]{1,5}$/.test(row.extension ?? "")))
      throw new InputError(`${where}: input ${JSON.stringify(row.where)} is neither a text nor an image`);
    const bytes = isText ? row.text! : Buffer.from(row.image!, "base64");
    if (sha256Of(bytes) !== row.sha256)
      throw new InputError(`${where}: input ${JSON.stringify(row.where)} was changed since it was written`);
  }
  return golden;
}

/** Text of golden.json. */
export function goldenText(golden: Golden): string {
  return jsonText(golden);
}

async function rawInput({ where, input }: Row): Promise<Omit<GoldenRow, GoldenOutput>> {
  if (input.kind === "text") return { where, text: input.text, sha256: sha256Of(input.text) };
  const { bytes, extension } = await imageBytes(input);
  return { where, image: bytes.toString("base64"), extension, sha256: sha256Of(bytes) };
}

async function imageBytes(
  input: Exclude<Row["input"], { kind: "text" }>,
): Promise<{ bytes: Buffer; extension: string }> {
  if (input.kind === "raw") {
    const { height, width, channels } = input;
    const raw = { height, width, channels: channels as 1 | 3 | 4 };
    return {
      bytes: await sharp(await readRawImage(input), { raw })
        .png()
        .toBuffer(),
      extension: ".png",
    };
  }
  const bytes = await readFile(input.path);
  const extension = extname(input.path).toLowerCase();
  if (bytes.length <= LARGEST_FILE || extension === ".bmp") return { bytes, extension };
  const copy = sharp(bytes)
    .autoOrient()
    .resize(COPY_SIDE, COPY_SIDE, { fit: "inside", withoutEnlargement: true });
  return { bytes: await copy.jpeg({ quality: 90 }).toBuffer(), extension: ".jpg" };
}

/** Rows as they were: texts as they are, images as files in `folder`. */
async function restored(rows: readonly Omit<GoldenRow, GoldenOutput>[], folder: string): Promise<Row[]> {
  return await Promise.all(
    rows.map(async ({ where, text, image, extension }, i) => {
      const rest = { where, label: null, split: null, group: null, weight: 1 };
      if (text !== undefined) return { ...rest, input: { kind: "text", text } as const };
      const path = join(folder, `${i}${extension}`);
      await writeFile(path, Buffer.from(image!, "base64"));
      return { ...rest, input: { kind: "image", path } as const };
    }),
  );
}

async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "graft-golden-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function sha256Of(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
