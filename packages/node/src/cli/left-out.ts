import type { Terminal } from "./terminal.ts";

const MOST = 5;

/** Warns of the first rows that were left out, and says how many more there are. */
export function warnLeftOut(terminal: Terminal, reasons: readonly string[]): void {
  for (const reason of reasons.slice(0, MOST)) terminal.warn(`left out: ${reason}`);
  if (reasons.length > MOST) terminal.warn(`left out: ${reasons.length - MOST} more`);
}
