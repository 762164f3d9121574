import { describe, expect, it } from "vitest";
import { InputError } from "./errors.ts";
import { type Options, resolveSettings } from "./options.ts";

const options = {
  strength: { type: "number", default: 1, min: 0, about: "" },
  limit: { type: "number", default: null, about: "" },
  kind: { type: "choice", default: "a", of: ["a", "b"], about: "" },
  on: { type: "boolean", default: true, about: "" },
} as const satisfies Options;

describe("resolveSettings", () => {
  it("fills in what is not given", () => {
    expect(resolveSettings("head", options, { kind: "b", limit: undefined })).toEqual({
      strength: 1,
      limit: null,
      kind: "b",
      on: true,
    });
  });

  it.each([
    [{ strenght: 1 }, 'head: there is no setting "strenght"; it has strength, limit, kind, on'],
    [{ strength: -1 }, "head: strength must be from 0 to Infinity, got -1"],
    [{ strength: Number.NaN }, "head: strength must be a finite number"],
    [{ kind: "c" }, 'head: kind must be one of a, b, got "c"'],
    [{ on: "yes" }, 'head: on must be true or false, got "yes"'],
  ])("refuses %j", (given, message) => {
    expect(() => resolveSettings("head", options, given)).toThrow(InputError);
    expect(() => resolveSettings("head", options, given)).toThrow(message);
  });
});
