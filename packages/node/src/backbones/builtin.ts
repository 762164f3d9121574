import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "@graft-ml/core";

/** The networks that come with the package: folders in the hub's layout. */
const FOLDER = fileURLToPath(new URL("../../builtin", import.meta.url));

/** The names that `builtin:NAME` takes, in order. */
export function builtinNames(): string[] {
  return existsSync(FOLDER) ? readdirSync(FOLDER).toSorted() : [];
}

/** Where the files of `builtin:NAME` lie. Throws an InputError for a name that is not there. */
export function builtinFolder(name: string): string {
  const names = builtinNames();
  if (names.includes(name)) return join(FOLDER, name);
  const there = names.map((known) => `builtin:${known}`).join(", ");
  throw new InputError(`backbone builtin:${name} is not in this package, which has ${there || "none"}`);
}
