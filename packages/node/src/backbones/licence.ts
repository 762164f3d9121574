import { readFile } from "node:fs/promises";
import type { Licence } from "./backbone.ts";
import type { ModelFiles } from "./files.ts";

/** Files that say where a model comes from and under which licence, the most exact first. */
const STATEMENTS = ["README.md", "LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "SOURCE.txt"];
const MAX_TEXT = 2000;

export function licenceFiles(names: readonly string[]): string[] {
  return STATEMENTS.filter((name) => names.includes(name));
}

/** What the files beside a model state of its licence; null where none does. */
export async function readLicence(files: ModelFiles): Promise<Licence | null> {
  const names = licenceFiles(files.names);
  const paths = await files.paths(names);
  for (const [i, file] of names.entries()) {
    const text = (await readFile(paths[i]!, "utf8")).trim();
    if (file !== "README.md") return { id: null, file, text: text.slice(0, MAX_TEXT) };
    const card = cardLicence(text);
    if (card !== null) return { ...card, file };
  }
  return null;
}

/** What people should know of a licence before they ship what was made from the model. */
export function licenceNote(name: string, licence: Licence | null): string | null {
  if (licence === null)
    return `${name} states no licence; ask its owner before you pass on what is made from it`;
  const { id, file, text } = licence;
  if (id === null) return `${name}: ${file} says: ${text.split("\n")[0]!.slice(0, 300)}`;
  if (/(^|-)nc(-|$)/.test(id)) return `${name}: its licence, ${id}, does not allow commercial use`;
  if (/^(other|unknown)$|rail|llama|gemma|research/.test(id)) {
    return `${name}: its licence (${text}) has conditions of its own; read them`;
  }
  return null;
}

/** The licence in the lines between "---" at the top of a model card. */
function cardLicence(card: string): { id: string; text: string } | null {
  const head = /^---\r?\n(.*?)\r?\n---/s.exec(card)?.[1] ?? "";
  const field = (name: string) => {
    const found = new RegExp(`^${name}:[ \\t]*(.*(?:\\r?\\n[ \\t]*- .*)*)`, "m").exec(head)?.[1];
    return (
      found
        ?.replace(/\s*- /g, " ")
        .replaceAll(/["'[\]]/g, "")
        .trim() || null
    );
  };
  const id = field("license");
  if (id === null) return null;
  const more = [field("license_name"), field("license_link")].filter((part) => part !== null);
  return { id: id.toLowerCase(), text: [id, ...more].join(", ").slice(0, MAX_TEXT) };
}
