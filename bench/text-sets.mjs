// Sets of texts of ../shared/data that several benches read.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the data sets (GRAFT_DATA). */
export const data = process.env.GRAFT_DATA ?? fileURLToPath(new URL("../../shared/data", import.meta.url));

/** The lines of a file there, without empty ones. */
export function linesOf(path, encoding = "utf8") {
  return readFileSync(join(data, path), encoding)
    .split("\n")
    .filter((line) => line.trim() !== "");
}

/** Questions and their six kinds; `part` is train or test. */
export function trecRows(part) {
  return linesOf(`text_trec/TREC.${part}`, "latin1").map((line) => ({
    label: line.split(":")[0],
    text: line.slice(line.indexOf(" ") + 1),
  }));
}

/** Sentences about films, praise (1) or not (0); `part` is train, dev or test. */
export function sstRows(part) {
  return linesOf(`text_sst/stsa.binary.${part}`).map((line) => ({ label: line[0], text: line.slice(2) }));
}
