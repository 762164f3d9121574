import { expect, test } from "vitest";
import { warnLeftOut } from "./left-out.ts";
import type { Terminal } from "./terminal.ts";

test("five of the rows that were left out are named, the others counted", () => {
  const told: string[] = [];
  const terminal = { warn: (text: string) => told.push(text) } as unknown as Terminal;
  warnLeftOut(terminal, ["row 1", "row 2"]);
  expect(told.splice(0)).toEqual(["left out: row 1", "left out: row 2"]);
  warnLeftOut(
    terminal,
    Array.from({ length: 8 }, (_, i) => `row ${i}`),
  );
  expect(told.slice(4)).toEqual(["left out: row 4", "left out: 3 more"]);
});
