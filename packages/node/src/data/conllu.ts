import { tagsOf } from "@graft-ml/core";
import { entitySpans } from "./entity-field.ts";
import { type Format, fileError, textOptions, tokenOptions } from "./format.ts";
import { readSentences, tokenRow } from "./sentences.ts";
import { positionOf, type TokenColumns, tokenColumns } from "./token-columns.ts";

/** Fields of CoNLL-U in their order (https://universaldependencies.org/format.html). */
export const FIELDS = [
  "id",
  "form",
  "lemma",
  "upos",
  "xpos",
  "feats",
  "head",
  "deprel",
  "deps",
  "misc",
] as const;

export const conllu: Format = {
  about: "CoNLL-U: ten fields a token; tags are upos, another field, or entity spans (Entity= in the last)",
  extensions: ["conllu"],
  options: { ...textOptions, ...tokenOptions },
  async *read(source, settings, report) {
    const columns = tokenColumns(settings.column);
    const tokenAt = fieldAt(columns, "token", 1, source.name);
    const choice = tagChoice(columns, source.name);
    const isFree = settings.labels === "optional";
    let document: string | null = null;
    let types: string | null = null; // what "global.Entity" says of the parts of a span
    let untagged = 0;
    let tagged = 0;
    for await (const { first, lines, problems } of readSentences(source, settings, report)) {
      const rows: string[][] = [];
      const places: number[] = [];
      let problem = problems.entries().next().value ?? null;
      for (const [i, line] of lines.entries()) {
        if (line.startsWith("#")) {
          const [, key, value] = /^#\s*([^=]+?)\s*=\s*(.*)$/.exec(line) ?? [];
          if (key === "newdoc id") document = value!;
          if (key === "global.Entity") types = value!;
          continue;
        }
        const cells = line.split("\t");
        if (cells.length !== FIELDS.length) {
          problem ??= [
            i,
            `has ${cells.length === 1 ? "1 field" : `${cells.length} fields`} between tabs where CoNLL-U has ${FIELDS.length}; correct the line${cells.length > 1 ? ", or name the file .conll for columns of another kind" : ""}`,
          ];
          break;
        }
        if (/^\d+[-.]\d+$/.test(cells[0]!)) continue; // words of several tokens, and words that are not written
        if (cells[0] !== String(rows.length + 1)) {
          problem ??= [
            i,
            `has the id ${JSON.stringify(cells[0])} where ${rows.length + 1} is due; correct the line`,
          ];
          break;
        }
        rows.push(cells);
        places.push(i);
      }
      if (problem !== null) {
        report.reject(`${source.name} line ${first + problem[0]}`, problem[1]);
        continue;
      }
      if (rows.length === 0) continue;
      let tags: string[] | null;
      if (choice.kind === "field") tags = rows.map((cells) => cells[choice.at]!);
      else {
        const found = entitySpans(
          rows.map((cells) => cells[9]!),
          types,
          choice.depth,
        );
        if ("problem" in found) {
          report.reject(`${source.name} line ${first + places[found.token]!}`, found.problem);
          continue;
        }
        tags = tagsOf(found, rows.length, "BIO");
      }
      if (choice.kind === "field" && tags.every((tag) => tag === "_")) {
        untagged++;
        if (!isFree) continue;
        tags = null;
      } else tagged++;
      yield tokenRow(
        source,
        `${source.name} line ${first}`,
        {
          texts: rows.map((cells) => cells[tokenAt]!),
          tags,
          ...(isFree ? { lines, places: Int32Array.from(places) } : {}),
        },
        {
          group: document,
          gaps: rows.map((cells) => (/(^|\|)SpaceAfter=No(\||$)/.test(cells[9]!) ? "" : " ")),
        },
      );
    }
    if (untagged === 0 || isFree) return;
    const name = choice.kind === "field" ? FIELDS[choice.at]! : "entity";
    if (tagged === 0)
      throw fileError(
        source.name,
        `no token has a ${name}; choose another field with --column tag=…: ${FIELDS.slice(1).join(", ")}, entity`,
      );
    report.note(`${source.name}: ${untagged} sentences without any ${name} were left out`);
  },
};

/** Where the tags are: a field by position, or the outermost or innermost entity spans. */
type TagChoice =
  | { readonly kind: "field"; readonly at: number }
  | { readonly kind: "entity"; readonly depth: "outer" | "inner" };

/** Where CoNLL-U keeps the tags that `--column` names. */
export function tagChoice(columns: TokenColumns, name: string): TagChoice {
  if (columns.tag === "entity" || columns.tag === "entity-outer") return { kind: "entity", depth: "outer" };
  if (columns.tag === "entity-inner") return { kind: "entity", depth: "inner" };
  return { kind: "field", at: fieldAt(columns, "tag", FIELDS.indexOf("upos"), name) };
}

function fieldAt(columns: TokenColumns, role: "token" | "tag", otherwise: number, name: string): number {
  const column = columns[role];
  if (column === null) return otherwise;
  const position =
    typeof column === "number"
      ? positionOf(column, FIELDS.length)
      : FIELDS.indexOf(column as (typeof FIELDS)[number]);
  if (position === null || position < 0)
    throw fileError(
      name,
      `--column ${role}=${column}: CoNLL-U has the fields ${FIELDS.join(", ")} (1 to 10), and entity or entity-inner for spans in misc`,
    );
  return position;
}
