import { InputError } from "@graft-ml/core";
import { describe, expect, it } from "vitest";
import { command, help, parse, UsageError } from "./command.ts";
import { main } from "./main.ts";
import { terminal } from "./terminal.ts";

const sample = command({
  about: "Counts things.",
  operands: ["DATA", "MORE?"],
  options: {
    batchSize: { type: "number", default: 8, min: 1, max: 64, about: "rows a batch" },
    baselines: { type: "boolean", default: true, about: "train the baselines too" },
    method: { type: "choice", default: "auto", of: ["auto", "probe"], about: "how" },
    label: { type: "string", default: null, about: "label column" },
  },
  example: "graft count data.csv",
  run: async () => ({}),
});

const settingsOf = (...args: string[]) =>
  parse("count", sample, args).settings as unknown as Record<string, unknown>;

describe("the arguments of a command", () => {
  it("takes flags before, between and after operands, with = or a space", () => {
    const { operands, settings } = parse("count", sample, [
      "--batch-size=16",
      "a.csv",
      "--label",
      "intent",
      "b.csv",
    ]);
    expect(operands).toEqual(["a.csv", "b.csv"]);
    expect(settings).toMatchObject({
      batchSize: 16,
      label: "intent",
      method: "auto",
      baselines: true,
      seed: 0,
    });
  });

  it("turns a flag off with --no- and ends flags with --", () => {
    expect(settingsOf("x", "--no-baselines").baselines).toBe(false);
    expect(parse("count", sample, ["--", "--label"]).operands).toEqual(["--label"]);
  });

  it.each([
    [[], "DATA is missing"],
    [["a", "b", "c"], "one operand too many"],
    [["a", "--batchsize", "3"], "did you mean --batch-size?"],
    [["a", "--batch-size", "lots"], "--batch-size must be a finite number"],
    [["a", "--batch-size", "0"], "--batch-size must be from 1 to 64"],
    [["a", "--batch-size"], "--batch-size needs a value"],
    [["a", "--method", "magic"], "--method must be one of auto, probe"],
    [["a", "--json=perhaps"], "--json takes no value"],
    [["a", "--seed", "1", "--seed", "2"], "--seed is given twice"],
    [["a", "-x"], "flags have two dashes"],
  ])("refuses %j with a usage error that says %s", (args, message) => {
    expect(() => parse("count", sample, args)).toThrow(UsageError);
    expect(() => parse("count", sample, args)).toThrow(message);
  });

  it("joins the values of a flag that may come several times", () => {
    const many = {
      ...sample,
      options: { ...sample.options, column: { type: "string", default: null, many: true, about: "columns" } },
    } as typeof sample;
    const { settings } = parse("count", many, ["a", "--column", "token=1", "--column", "tag=2"]);
    expect(settings).toMatchObject({ column: "token=1,tag=2" });
  });

  it("shows every flag and the example in the help", () => {
    const page = help("count", sample);
    for (const part of [
      "--batch-size N",
      "--no-baselines",
      "--method auto|probe",
      "--label",
      "--json",
      "graft count data.csv",
    ]) {
      expect(page).toContain(part);
    }
  });
});

function streams() {
  const written = { out: "", err: "" };
  return {
    written,
    streams: {
      out: { write: (text: string) => (written.out += text) },
      err: { write: (text: string) => (written.err += text) },
      now: () => 0,
    },
  };
}

describe("the program", () => {
  it("exits with 2 on an unknown command and names the known ones", async () => {
    const { streams: to, written } = streams();
    expect(await main(["trian"], to)).toBe(2);
    expect(written.err).toContain('no command "trian"');
    expect(written.out).toBe("");
  });

  it("says its version", async () => {
    const { streams: to, written } = streams();
    expect(await main(["--version"], to)).toBe(0);
    expect(written.out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("prints nothing but one JSON object under --json", () => {
    const { streams: to, written } = streams();
    const speaking = terminal({ json: true, quiet: true }, to);
    speaking.print("for people");
    speaking.progress("work", 1, 2);
    expect(written).toEqual({ out: "", err: "" });
  });

  it("says in progress how far, how fast and how long still", () => {
    const { streams: to, written } = streams();
    let now = 0;
    const speaking = terminal({ json: false, quiet: false }, { ...to, now: () => now });
    speaking.progress("extract", 0, 100);
    now = 10_000;
    speaking.progress("extract", 25, 100);
    expect(written.err).toContain("25/100, 2.5/s, 30 s left");
  });

  it("keeps InputError apart from bugs", () => {
    expect(new InputError("x")).toBeInstanceOf(Error);
  });
});
