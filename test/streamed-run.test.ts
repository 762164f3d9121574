import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Dataset, type OrtRuntime, openRun, ortRuntime, type TrainRunOptions, trainRun } from "graft-ml";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeStripedPhotos } from "./striped-photos.ts";

let runtime: OrtRuntime;
let folder: string;
let dataset: Dataset;

beforeAll(async () => {
  runtime = await ortRuntime({ threads: 1, spinning: false });
  folder = await mkdtemp(join(tmpdir(), "graft-streamed-"));
  await writeStripedPhotos(folder, 30);
  const classes = ["lying", "standing"];
  const rows = classes.flatMap((label) =>
    Array.from({ length: 30 }, (_, i) => {
      const path = join(folder, "photos", label, `${String(i).padStart(2, "0")}.png`);
      const split = i < 18 ? ("train" as const) : ("test" as const);
      return { where: path, input: { kind: "image" as const, path }, label, split, group: null, weight: 1 };
    }),
  );
  dataset = { source: "stripes", task: "image-classification", classes, rows, skipped: [] };
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

const run = (output: string, more: Partial<TrainRunOptions> = {}) =>
  trainRun(dataset, {
    output: join(folder, output),
    backbones: [join(folder, "net")],
    runtime,
    cache: null,
    fast: true,
    baselines: false,
    ...more,
  });

async function probabilities(output: string): Promise<number[]> {
  const opened = await openRun(join(folder, output), { runtime });
  const { predictions } = await opened.predict(dataset.rows);
  await opened.close();
  return predictions.map((one) => one.probabilities.lying!);
}

test("features beyond the memory they may take stay on disk, and the run says the same", async () => {
  await run("memory");
  await run("disk", { featureMemory: 36 * 12 * 4 - 1, head: "auto" });
  const [a, b] = [await probabilities("memory"), await probabilities("disk")];
  // On so few rows a head in memory averages over strengths, which one fitted from disk does not: that moves
  // no label. At one strength the two are equal to the tolerance, which the tests of the heads hold.
  for (const [i, p] of a.entries()) {
    expect(Math.abs(p - b[i]!)).toBeLessThan(0.01);
    expect(p > 0.5).toBe(b[i]! > 0.5);
  }
  const reportOf = (output: string) => readFile(join(folder, output, "report.html"), "utf8");
  expect(await reportOf("disk")).toMatch(/features of 36 rows take .* MB, so they stayed on disk/);
  expect(await reportOf("memory")).not.toMatch(/stayed on disk/);
});

test("a head that needs all features at once is refused with what to take", async () => {
  await expect(run("ridge", { featureMemory: 100, head: "ridge" })).rejects.toThrow(
    /head ridge needs all features in memory.*take logistic/,
  );
});
