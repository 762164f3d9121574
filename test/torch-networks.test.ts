import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import {
  classTargets,
  crossEntropy,
  float32,
  int64,
  ort,
  planTraining,
  readModel,
  type Tensor,
  writeModel,
} from "@graft-ml/core";
import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";

interface Network {
  /** The exported file in base64. */
  readonly model: string;
  readonly inputs: Readonly<Record<string, { dtype: string; shape: number[]; data: number[] }>>;
  readonly targets: readonly number[];
  readonly classes: number;
  readonly loss: number;
  /** Of each initializer: the length of its gradient, and its product with a probe. */
  readonly gradients: Readonly<Record<string, [length: number, probed: number]>>;
}
const golden: { networks: Record<string, Network> } = JSON.parse(
  gunzipSync(readFileSync(new URL("golden/networks.json.gz", import.meta.url))).toString(),
);
const WORST = 1e-4;

describe("gradients of networks as PyTorch exports them, against its own in float64", () => {
  it("are of residual, attention and recurrent networks, by both exporters", () => {
    expect(Object.keys(golden.networks)).toEqual([
      "resnet, legacy",
      "resnet, dynamo",
      "resnet, training",
      "bert, legacy",
      "bert, dynamo",
      "tagger, legacy",
      "tagger, dynamo",
      "mixed, legacy",
      "mixed, dynamo",
    ]);
  });
  it.each(Object.keys(golden.networks))("%s", async (name) => {
    const { inputs, targets, classes, loss, gradients, ...file } = golden.networks[name]!;
    const model = readModel(Buffer.from(file.model, "base64"));
    const plan = planTraining(model, {
      train: (parameter) => parameter in gradients,
      shapes: Object.fromEntries(Object.entries(inputs).map(([key, { shape }]) => [key, shape])),
      loss: (g, graph, input) =>
        crossEntropy(g, graph.outputs[0]!, input("targets", "float32", [targets.length, classes])),
    });
    expect([...plan.parameters.keys()].sort()).toEqual(Object.keys(gradients).sort());
    const feeds: Record<string, Tensor> = {
      targets: classTargets(targets, classes),
      ...Object.fromEntries(plan.parameters),
    };
    for (const [key, { dtype, shape, data }] of Object.entries(inputs))
      feeds[key] = dtype === "int64" ? int64(shape, data) : float32(shape, data);
    const session = await ort(module as never).load(writeModel(plan.model));
    const results = await session.run(feeds);
    expect(Number(results[plan.loss]!.data[0])).toBeCloseTo(loss, 4);
    const whole = Math.hypot(...Object.values(gradients).map(([length]) => length));
    const errors = Object.entries(gradients).map(([parameter, [length, probed]]) => {
      const data = results[plan.gradients.get(parameter)!]!.data as Float32Array;
      const mine = data.reduce((sum, value, i) => sum + value * Math.cos(0.53 * i), 0);
      // What has no gradient but rounding (a bias of keys, one before a batch norm) is measured by the others.
      const unit = Math.max(length, 1e-3 * whole);
      return Math.max(Math.abs(Math.hypot(...data) - length), Math.abs(mine - probed)) / unit;
    });
    expect(Math.max(...errors)).toBeLessThan(WORST);
    await session.close();
  });
});
