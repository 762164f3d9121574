/**
 * A name that an object of a JSON text has twice, with the names above it (`tasks.pos`); null where there is
 * none. `JSON.parse` keeps the last of them without a word. The text must be JSON.
 */
export function repeatedKey(text: string): string | null {
  // Names of each object that is open, null for a list, and the name in it that is being read.
  const open: { readonly names: Set<string> | null; at: string }[] = [];
  for (const [token, quoted] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}[\]]/gs)) {
    if (token === "{" || token === "[") open.push({ names: token === "{" ? new Set() : null, at: "" });
    else if (token === "}" || token === "]") open.pop();
    else if (quoted !== undefined) {
      const object = open.at(-1)!;
      object.at = JSON.parse(quoted) as string;
      if (object.names!.has(object.at))
        return open.flatMap(({ at, names }) => (names === null ? [] : [at])).join(".");
      object.names!.add(object.at);
    }
  }
  return null;
}
