import { existsSync, readFileSync } from "node:fs";
import {
  classTargets,
  crossEntropy,
  float32,
  ort,
  planTraining,
  readModel,
  type Tensor,
  writeModel,
} from "@graft-ml/core";
import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";

interface Golden {
  readonly rows: number;
  readonly models: Record<
    string,
    { loss: number; gradients: Record<string, [length: number, probed: number]> }
  >;
}
const golden: Golden = JSON.parse(readFileSync(new URL("golden/gradients.json", import.meta.url), "utf8"));
const fileOf = (name: string) => new URL(`../../shared/data/models/${name}/model.onnx`, import.meta.url);
const there = Object.keys(golden.models).filter((name) => existsSync(fileOf(name)));
if (there.length === 0)
  console.info("torch-reference-networks: the models of shared/data are absent, so nothing is compared");

describe.skipIf(there.length === 0)("gradients of whole networks as PyTorch has them in float64", () => {
  it.each(there)("%s", async (name) => {
    const { loss, gradients } = golden.models[name]!;
    const model = readModel(readFileSync(fileOf(name)));
    const [x] = model.graph.inputs;
    const [logits] = model.graph.outputs;
    const classes = logits!.shape!.at(-1) as number;
    const shape = [golden.rows, ...(x!.shape!.slice(1) as number[])];
    const plan = planTraining(model, {
      train: (parameter) => parameter in gradients,
      shapes: { [x!.name]: shape },
      loss: (g, graph, input) =>
        crossEntropy(g, graph.outputs[0]!, input("targets", "float32", [golden.rows, classes])),
    });
    expect([...plan.parameters.keys()].sort()).toEqual(Object.keys(gradients).sort());
    const size = shape.reduce((a, b) => a * b);
    const feeds: Record<string, Tensor> = {
      [x!.name]: float32(
        shape,
        Float32Array.from({ length: size }, (_, i) => Math.sin(0.37 * i + 0.11)),
      ),
      targets: classTargets([0, 1], classes),
      ...Object.fromEntries(plan.parameters),
    };
    const session = await ort(module as never).load(writeModel(plan.model));
    const results = await session.run(feeds);
    expect(Number(results[plan.loss]!.data[0])).toBeCloseTo(loss, 3);
    const errors: number[] = [];
    for (const [parameter, [length, probed]] of Object.entries(gradients)) {
      const data = results[plan.gradients.get(parameter)!]!.data as Float32Array;
      const mine = data.reduce((sum, value, i) => sum + value * Math.cos(0.53 * i), 0);
      const size = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));
      errors.push(Math.abs(size - length) / (length + 1e-9), Math.abs(mine - probed) / (length + 1e-9));
    }
    errors.sort((a, b) => a - b);
    // In float32 single rectifiers fall on the other side of their bound; most parameters do not see it.
    expect(errors[Math.floor(errors.length / 2)]).toBeLessThan(1e-5);
    expect(errors.at(-1)).toBeLessThan(1e-3);
    await session.close();
  });
});
