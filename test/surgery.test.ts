import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defaultLayer, featureModel, float32, listLayers, readModel, writeModel } from "@graft-ml/core";
import * as ortNode from "onnxruntime-node";
import { describe, expect, it } from "vitest";

const data = process.env.GRAFT_DATA ?? fileURLToPath(new URL("../../shared/data", import.meta.url));
const networks = ["mobilenet_v1_0.25_128", "mobilenet_v2_1.0_224", "doodlenet_28"];

describe.each(networks)("features of %s", (name) => {
  const path = `${data}/models/${name}/model.onnx`;
  // Without the data beside the checkout there is nothing to cut.
  it.skipIf(!existsSync(path))("are finite rows at the default layer, the same in any batch", async () => {
    const model = readModel(readFileSync(path), { source: name });
    expect(listLayers(model).filter((layer) => layer.default)).toHaveLength(1);
    const { model: cut, dimension, inputs, layer } = featureModel(model);
    expect(layer).toBe(defaultLayer(model).name);
    const session = await ortNode.InferenceSession.create(writeModel(cut));
    const rest = inputs[0]!.shape!.slice(1) as number[];
    const size = rest.reduce((a, b) => a * b, 1);
    const pixels = Float32Array.from({ length: 3 * size }, (_, i) => Math.sin(i * 0.37) / 2 + 0.5);
    const run = async (n: number) => {
      const x = float32([n, ...rest], pixels.slice(0, n * size));
      const feed = new ortNode.Tensor("float32", x.data as Float32Array, x.shape);
      const { features } = await session.run({ [inputs[0]!.name]: feed });
      expect(features!.dims).toEqual([n, dimension]);
      return features!.data as Float32Array;
    };
    const [one, three] = [await run(1), await run(3)];
    expect(three.every(Number.isFinite)).toBe(true);
    for (let i = 0; i < dimension; i++) expect(three[i]).toBeCloseTo(one[i]!, 3);
  });
});
