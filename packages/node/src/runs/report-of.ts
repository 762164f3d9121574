import { extname } from "node:path";
import {
  embeddingMap,
  type Features,
  type Matrix,
  mostProbable,
  type Row,
  row as rowOf,
} from "@graft-ml/core";
import sharp from "sharp";
import { readRawImage } from "../images/index.ts";
import type { Finding, ReportError, ReportMap } from "../report/index.ts";

/** Surest errors that are shown. */
const SHOWN = 24;
const THUMBNAIL = 160;
/** Characters of a text that are shown. */
const EXCERPT = 400;

/** The wrong rows that the model was surest of, with small pictures or the beginning of their texts. */
export async function surestErrors(
  rows: readonly Row[],
  probabilities: Matrix,
  labels: Int32Array,
  classes: readonly string[],
): Promise<ReportError[]> {
  const predicted = mostProbable(probabilities);
  const confidence = (i: number) => rowOf(probabilities, i)[predicted[i]!]!;
  const wrong = [...rows.keys()]
    .filter((i) => predicted[i] !== labels[i])
    .sort((a, b) => confidence(b) - confidence(a) || a - b)
    .slice(0, SHOWN);
  return await Promise.all(
    wrong.map(async (i) => {
      const { where, input } = rows[i]!;
      return {
        where,
        label: classes[labels[i]!]!,
        predicted: classes[predicted[i]!]!,
        confidence: confidence(i),
        labelProbability: rowOf(probabilities, i)[labels[i]!]!,
        image: input.kind === "text" ? null : await thumbnail(input),
        text: input.kind === "text" ? excerpt(input.text) : null,
      };
    }),
  );
}

/** A small picture as a data: URI; null where sharp reads no such file (BMP). */
async function thumbnail(input: Exclude<Row["input"], { kind: "text" }>): Promise<string | null> {
  const raw =
    input.kind === "raw"
      ? { width: input.width, height: input.height, channels: input.channels as 1 | 3 | 4 }
      : null;
  if (input.kind === "image" && extname(input.path).toLowerCase() === ".bmp") return null;
  const source =
    raw === null
      ? sharp((input as { path: string }).path, { failOn: "none" }).autoOrient()
      : sharp(await readRawImage(input as Extract<Row["input"], { kind: "raw" }>), { raw });
  const small = source.resize(THUMBNAIL, THUMBNAIL, { fit: "inside", withoutEnlargement: raw === null });
  const bytes = await small.flatten({ background: "#fff" }).jpeg({ quality: 70 }).toBuffer();
  return `data:image/jpeg;base64,${bytes.toString("base64")}`;
}

function excerpt(text: string): string {
  return text.length <= EXCERPT ? text : `${text.slice(0, EXCERPT)} …`;
}

/** A map of test features coloured by class; null for fewer than three rows. */
export function reportMap(
  features: Features,
  labels: Int32Array,
  probabilities: Matrix,
  seed: number,
): ReportMap | null {
  if (features.rows < 3) return null;
  const map = embeddingMap(features, { seed });
  const predicted = mostProbable(probabilities);
  return {
    ...map,
    labels: map.rows.map((i) => labels[i]!),
    predicted: map.rows.map((i) => predicted[i]!),
  };
}

/** What was noticed of the data on the way, as findings of the report. */
export function findingsOf(skipped: readonly string[], notes: readonly string[]): Finding[] {
  const findings: Finding[] = notes.map((text) => ({ severity: "note", text, examples: [] }));
  if (skipped.length > 0)
    findings.unshift({
      severity: "problem",
      text: `${skipped.length} rows could not be used and were left out`,
      examples: skipped.slice(0, 5),
    });
  return findings;
}

/** The report's record of a run's command: paths with blanks in quotes. */
export function commandLine(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}
