import { InputError } from "@graft-ml/core";

/** The lines of standard input to its end. Throws an InputError where there is none. */
export async function standardInputLines(): Promise<string[]> {
  let text = "";
  process.stdin.setEncoding("utf8");
  for await (const chunk of process.stdin) text += chunk;
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  if (lines.at(-1) === "") lines.pop();
  if (lines.length === 0) throw new InputError("standard input holds no text; write one a line");
  return lines;
}
