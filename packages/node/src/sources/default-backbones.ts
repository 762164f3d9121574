import type { Row } from "@graft-ml/core";
import { builtinVectors } from "./vectors.ts";

/**
 * Training rows beyond which vectors are not tried by themselves: TF-IDF is then the better choice nearly
 * always, and the quick one.
 */
const MANY = 3000;
/** Share of Chinese signs among letters from which on texts count as Chinese. */
const CHINESE = 0.3;
/** Rows that are looked at. */
const SEEN = 500;

/** A backbone and the layer it is taken at; null for its default one. */
export interface DefaultBackbone {
  readonly spec: string;
  readonly layer: string | null;
}

/**
 * The backbones that "auto" stands for, to choose from on training rows: of up to 3000 texts the plain mean
 * of the vectors that come with the package for their script, and none; of more texts and of images none.
 */
export function defaultBackbones(modality: "image" | "text", training: readonly Row[]): DefaultBackbone[] {
  const none = { spec: "none", layer: null };
  if (modality === "image" || training.length > MANY) return [none];
  const name = isChinese(training.slice(0, SEEN)) ? "text-zh" : "text";
  return builtinVectors(name) === null ? [none] : [{ spec: `builtin:${name}`, layer: "words.mean" }, none];
}

function isChinese(rows: readonly Row[]): boolean {
  let [signs, letters] = [0, 0];
  for (const { input } of rows) {
    if (input.kind !== "text") continue;
    signs += input.text.match(/\p{Script=Han}/gu)?.length ?? 0;
    letters += input.text.match(/\p{L}/gu)?.length ?? 0;
  }
  return signs > CHINESE * letters;
}
