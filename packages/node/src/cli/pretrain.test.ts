import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Architecture, architectures } from "@graft-ml/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { main } from "./main.ts";

let folder: string;
let data: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-pretrain-cli-"));
  data = join(folder, "texts.jsonl");
  const subjects = ["the cat", "a dog", "my friend", "the bird", "an old man", "she"];
  const texts = subjects.flatMap((one) =>
    ["eats fish", "sees a ball", "runs home"].map((two) => `${one} ${two}`),
  );
  await writeFile(data, texts.map((text) => `${JSON.stringify({ text })}\n`).join(""));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(...args: string[]) {
  const written = { out: "", err: "" };
  const code = await main(args, {
    out: { write: (text: string) => (written.out += text) },
    err: { write: (text: string) => (written.err += text) },
    now: () => 0,
  });
  return { code, ...written };
}

describe("graft pretrain", () => {
  test("writes a run from unlabelled texts that other commands take as a backbone, and prints its metrics", async () => {
    const output = join(folder, "language");
    const flags =
      "--arch transformer-small --arch-options width=8,depth=1,heads=2 --objective mlm --epochs 2 --threads 1";
    const { code, out, err } = await run(
      "pretrain",
      data,
      ...flags.split(" "),
      "--output",
      output,
      "--json",
      "--quiet",
    );
    expect(err).toBe("");
    expect(code).toBe(0);
    const metrics = JSON.parse(out);
    expect(metrics).toMatchObject({ objective: "mlm", classes: [], rows: { train: 16, heldOut: 2 } });
    expect(JSON.parse(await readFile(join(output, "metrics.json"), "utf8"))).toEqual(metrics);
    expect((await readdir(output)).sort()).toEqual([
      "config.json",
      "golden.json",
      "log.jsonl",
      "metrics.json",
      "model.onnx",
      "report.html",
      "report.json",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    expect((await run("layers", `run:${output}`)).out).toMatch(/last_hidden_state/);
    const predicted = await run("predict", output, data);
    expect(predicted.code).toBe(1);
    expect(predicted.err).toContain("pretrained without labels (mlm) and names no classes");
    const verified = await run("verify", output);
    expect(verified.out).toMatch(/^2 golden inputs give what they gave/);
    expect(verified.code).toBe(0);
    const page = await readFile(join(output, "report.html"), "utf8");
    await rm(join(output, "report.html"));
    expect((await run("report", output)).code).toBe(0);
    expect(await readFile(join(output, "report.html"), "utf8")).toBe(page);
    expect(page).toContain("held out</");
  });

  test.each([
    [["--output", "x"], "--arch is missing; name one of mobilenet-small, resnet-small, text-cnn"],
    [["--arch", "text-cnn"], "--output is missing"],
    [["--arch", "text-cnn", "--output", "x", "--arch-options", "colour=3"], "vocabulary, width, filters"],
    [["--arch", "text-cnn", "--output", "x", "--image-size", "32"], "text-cnn takes no images"],
    [["--arch", "text-cnn", "--output", "x", "--allow-missing", "a"], "--init, which is missing"],
    [["--arch", "text-cnn", "--output", "x", "--objective", "rotate"], "objective must be one of supervised"],
  ])("with %j ends with 2 and says what is wrong", async (flags, message) => {
    const { code, err } = await run("pretrain", data, ...flags);
    expect(err).toContain(message);
    expect(code).toBe(2);
  });

  test("graft train refuses settings of an architecture without one", async () => {
    const labelled = join(folder, "labelled.jsonl");
    const rows = ["a", "b", "a", "b"].map((label) => JSON.stringify({ text: `of ${label}`, label }));
    await writeFile(labelled, rows.join("\n"));
    const { code, err } = await run("train", labelled, "--output", "x", "--arch-options", "width=3");
    expect(err).toContain("are of --arch, which is missing");
    expect(code).toBe(2);
  });

  test("docs/pretraining.md names every architecture with every setting and its default", async () => {
    const path = fileURLToPath(new URL("../../../../docs/pretraining.md", import.meta.url));
    const lines = (await readFile(path, "utf8")).split("\n");
    for (const [name, { options }] of Object.entries(architectures as Record<string, Architecture>)) {
      const line = lines.find((one) => one.startsWith(`| \`${name}\``));
      for (const [option, { default: value }] of Object.entries(options))
        expect(line, name).toContain(`${option} ${value}`);
    }
  });
});
