import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import {
  defaultLayer,
  type FeatureModel,
  featureModel,
  listLayers,
  readModel,
  writeModel,
} from "@graft-ml/core";
import { describe, expect, it } from "vitest";

const ort = createRequire(new URL("../packages/node/package.json", import.meta.url))(
  "onnxruntime-node",
) as typeof import("onnxruntime-node");

const data = process.env.GRAFT_DATA ?? fileURLToPath(new URL("../../shared/data", import.meta.url));
// The two largest of the networks have the same kinds of layers as these.
const networks = ["mobilenet_v1_0.25_128", "mobilenet_v2_1.0_224", "doodlenet_28"];

/** The rows of the first `counts[i]` of four inputs, for each i. */
async function rowsOf({ model, dimension, inputs }: FeatureModel, counts: readonly number[]) {
  const session = await ort.InferenceSession.create(writeModel(model), { logSeverityLevel: 4 });
  const [name, shape] = [inputs[0]!.name, inputs[0]!.shape!.slice(1) as number[]];
  const size = shape.reduce((a, b) => a * b, 1);
  const pixels = Float32Array.from({ length: 4 * size }, (_, i) => Math.sin(i * 0.37) / 2 + 0.5);
  const results: Float32Array[] = [];
  for (const n of counts) {
    const feed = new ort.Tensor("float32", pixels.slice(0, n * size), [n, ...shape]);
    const { features } = await session.run({ [name]: feed });
    expect(features!.dims).toEqual([n, dimension]);
    results.push(features!.data as Float32Array);
  }
  await session.release();
  return results;
}

/** The largest difference, relative to the largest number. */
function farthest(a: Float32Array, b: Float32Array): number {
  const scale = a.reduce((most, one) => Math.max(most, Math.abs(one)), 1e-6);
  return a.reduce((most, one, i) => Math.max(most, Math.abs(one - b[i]!)), 0) / scale;
}

describe.each(networks)("layers of %s", (name) => {
  const path = `${data}/models/${name}/model.onnx`;
  const there = existsSync(path);
  if (!there) console.info(`skipped: there is no ${path}`);

  it.skipIf(!there)("give finite rows, each the same in any batch", async () => {
    const model = readModel(readFileSync(path), { source: name });
    const layers = listLayers(model);
    expect(layers.filter((layer) => layer.default).map((layer) => layer.name)).toEqual([
      defaultLayer(model).name,
    ]);
    for (const { name: layer } of layers) {
      const made = featureModel(model, { layer });
      const [one, three] = await rowsOf(made, [1, 3]);
      expect(three!.every(Number.isFinite), layer).toBe(true);
      expect(farthest(one!, three!.subarray(0, made.dimension)), layer).toBeLessThan(1e-4);
    }
  });
});
