import { extname } from "node:path";
import { InputError, type Matrix, type Row, row as rowOf } from "@graft-ml/core";
import { shortestFloat32 } from "./floats.ts";

/** What a model says of one input. */
export interface Prediction {
  /** Names the input: "photos/1.jpg", "messages.csv row 17". */
  readonly input: string;
  /** The text itself where the input is one. */
  readonly text: string | null;
  readonly label: string;
  /** Calibrated probability of `label`. */
  readonly probability: number;
  /** Calibrated probability of each class, as float32 values. */
  readonly probabilities: Readonly<Record<string, number>>;
}

/** Predictions from probabilities [N, C], a row an input; of equal probabilities the first class wins. */
export function predictionsOf(
  rows: readonly Row[],
  probabilities: Matrix,
  classes: readonly string[],
): Prediction[] {
  return rows.map(({ where, input }, i) => {
    const values = rowOf(probabilities, i);
    let best = 0;
    for (let c = 1; c < values.length; c++) if (values[c]! > values[best]!) best = c;
    return {
      input: where,
      text: input.kind === "text" ? input.text : null,
      label: classes[best]!,
      probability: values[best]!,
      probabilities: Object.fromEntries(classes.map((name, c) => [name, values[c]!])),
    };
  });
}

/** Forms predictions are written in, by the ending of the file. */
const forms: Readonly<
  Record<string, (predictions: readonly Prediction[], classes: readonly string[]) => string>
> = {
  ".csv": csvOf,
  ".jsonl": (predictions) => predictions.map((one) => `${jsonLine(one)}\n`).join(""),
};

/** How predictions are written to `path`; throws where its ending says neither CSV nor JSONL. */
export function predictionForm(path: string) {
  const form = forms[extname(path).toLowerCase()];
  if (form === undefined)
    throw new InputError(`${path}: predictions are written as .csv or .jsonl; choose one of these endings`);
  return form;
}

/** A table with the columns input, text (of texts), label, probability and one `p:CLASS` for each class. */
export function csvOf(predictions: readonly Prediction[], classes: readonly string[]): string {
  const hasText = predictions.some(({ text }) => text !== null);
  const header = [
    "input",
    ...(hasText ? ["text"] : []),
    "label",
    "probability",
    ...classes.map((c) => `p:${c}`),
  ];
  const lines = predictions.map((one) =>
    [
      cell(one.input),
      ...(hasText ? [cell(one.text ?? "")] : []),
      cell(one.label),
      shortestFloat32(one.probability),
      ...classes.map((name) => shortestFloat32(one.probabilities[name]!)),
    ].join(","),
  );
  return `${[header.map(cell).join(","), ...lines].join("\n")}\n`;
}

function cell(text: string): string {
  return /[",\n\r]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A prediction as one JSON object, numbers as short as float32 allows. */
export function jsonLine({ input, text, label, probability, probabilities }: Prediction): string {
  const short = (value: number) => Number(shortestFloat32(value));
  const all = Object.fromEntries(Object.entries(probabilities).map(([name, p]) => [name, short(p)]));
  return JSON.stringify({
    input,
    ...(text === null ? {} : { text }),
    label,
    probability: short(probability),
    probabilities: all,
  });
}
