import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, emptyGraph, float32, modelOf, writeModel } from "@graft-ml/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "./main.ts";

const shared = fileURLToPath(new URL("../../../../../shared/data/models", import.meta.url));
const missing = existsSync(shared) ? false : `no ${shared}`;
if (missing) console.warn(`layers of real networks are not tested: ${missing}`);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-layers-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Pixels through a convolution to 4 maps, their means, and a classifier of 2 classes. */
function network(): Uint8Array {
  const g = build(emptyGraph());
  const pixels = g.input("pixel_values", "float32", ["batch", 3, 8, 8]);
  const maps = g.apply("Conv", [pixels, float32([4, 3, 3, 3], new Float32Array(108))], {}, { name: "maps" });
  const mean = g.apply("GlobalAveragePool", [maps], {}, { name: "pool" });
  const flat = g.apply("Flatten", [mean], {}, { name: "flat" });
  const weights = [float32([4, 2], new Float32Array(8)), float32([2], new Float32Array(2))];
  g.graph.outputs.push(g.apply("Gemm", [flat, ...weights], {}, { name: "logits" }));
  return writeModel(modelOf(g.graph));
}

async function run(...args: string[]) {
  const written = { out: "", err: "" };
  const code = await main(["layers", ...args], {
    out: { write: (text: string) => (written.out += text) },
    err: { write: (text: string) => (written.err += text) },
    now: () => 0,
  });
  return { code, ...written };
}

describe("graft layers", () => {
  it("lists name, operator, shape and parameters, and says which layer is the default and why", async () => {
    const path = join(folder, "small.onnx");
    await writeFile(path, network());
    const { code, out } = await run(path);
    expect(code).toBe(0);
    expect(out).toMatch(/maps\S* +Conv +\[batch, 4, 6, 6\] +108/);
    expect(out).toMatch(/→ +flat\S* +Flatten +\[batch, 4\] +0/);
    expect(out).toMatch(/logits\S* +Gemm +\[batch, 2\] +10/);
    expect(out).toContain("4, 118 parameters in the network");
    expect(out).toMatch(/default {2}flat\S*: input of the classifier/);
  });

  it("gives the same as one JSON object", async () => {
    const path = join(folder, "small.onnx");
    await writeFile(path, network());
    const { code, out } = await run(path, "--json");
    expect(code).toBe(0);
    const told = JSON.parse(out);
    expect(told.layers).toHaveLength(4);
    expect(told.layers.filter((layer: { default: boolean }) => layer.default)).toEqual([
      expect.objectContaining({ name: told.default.name, operator: "Flatten", shape: ["batch", 4] }),
    ]);
    expect(told).toMatchObject({ modality: "image", parameters: 118 });
    expect(told.inputs).toEqual([{ name: "pixel_values", dtype: "float32", shape: ["batch", 3, 8, 8] }]);
  });

  it("refuses none, a missing file and a file that is no network, in one line each", async () => {
    expect(await run("none")).toMatchObject({ code: 1, err: expect.stringContaining("has no network") });
    expect(await run(join(folder, "absent.onnx"))).toMatchObject({ code: 1, out: "" });
    const broken = join(folder, "broken.onnx");
    await writeFile(broken, network().subarray(0, 100));
    const { code, err } = await run(broken);
    expect(code).toBe(1);
    expect(err).toMatch(/^error: .*broken\.onnx.*\n$/);
  });

  it.skipIf(missing).each([
    ["mobilenet_v2_1.0_224", "features", [1280]],
    ["mobilenet_v1_0.25_128", "features", [256]],
    ["doodlenet_28", "features", [512]],
  ])("marks of %s the layer %s with %j numbers", async (name, layer, extents) => {
    const { code, out } = await run(join(shared, name), "--json");
    expect(code).toBe(0);
    const told = JSON.parse(out);
    expect(told.default.name).toBe(layer);
    const chosen = told.layers.find((one: { default: boolean }) => one.default);
    expect(chosen.shape.slice(1)).toEqual(extents);
  });
});
