import * as module from "onnxruntime-node";
import { expect } from "vitest";
import { gradients } from "../packages/core/src/autodiff/gradients.ts";
import { build, emptyGraph, type Operand } from "../packages/core/src/ir/build.ts";
import type { Graph, Model } from "../packages/core/src/ir/graph.ts";
import { inferShapes } from "../packages/core/src/ir/shapes.ts";
import { writeModel } from "../packages/core/src/onnx/write.ts";
import { random } from "../packages/core/src/random.ts";
import { ort } from "../packages/core/src/runtime/ort.ts";
import { sizeOf, type Tensor } from "../packages/core/src/tensor.ts";
import type { Sample } from "./gradient-samples/index.ts";

/** What executes the graphs of these tests. */
export const runtime = ort(module as never);

/** A graph as a model of an operator set. */
export function modelOf(graph: Graph, opset: number): Model {
  return {
    graph,
    opsets: new Map([
      ["", opset],
      ["com.microsoft", 1],
    ]),
    irVersion: 9,
    producer: { name: "", version: "" },
    domain: "",
    modelVersion: 0n,
    doc: "",
    metadata: new Map(),
  };
}

/**
 * Compares the gradient of a weighted sum of an operator's outputs with central differences through the
 * runtime; `before` are operands in front of the differentiated ones, `between` one behind the first.
 */
export async function check(
  name: string,
  sample: Sample,
  seed: number,
  opset = 17,
  before: Operand[] = [],
  between: Operand | null = null,
  domain = "",
) {
  const { x: extents, rest = [], attributes = {}, outputs = 1, range = [-2, 2], dtype = "float64" } = sample;
  const version = name.startsWith("Reduce") ? 18 : name === "Mish" || name === "HardSwish" ? 18 : opset;
  const source = random(seed + 1);
  const array = (length: number, low: number, high: number) => {
    const values = Array.from({ length }, () => low + (high - low) * source.uniform());
    return dtype === "float64" ? Float64Array.from(values) : Float32Array.from(values);
  };
  const graph = emptyGraph(name);
  const b = build(graph);
  const tensors = extents.map(
    (shape): Tensor => ({ dtype, shape, data: array(sizeOf(shape), range[0], range[1]) }),
  );
  for (const place of sample.zeros ?? []) (tensors[0]!.data as Float32Array)[place] = 0;
  const inputs = tensors.map((tensor, i) => b.input(`x${i}`, dtype, tensor.shape));
  const operands = between ? [inputs[0]!, between, ...inputs.slice(1)] : [...before, ...inputs, ...rest];
  const made = b.applyMany(name, operands, attributes, outputs, { domain });
  const types = inferShapes(graph);
  const used =
    name === "BatchNormalization" || name === "TopK" || name.startsWith("Embed") ? made.slice(0, 1) : made;
  const parts = used.map((y) => {
    const shape = types.get(y)!.shape as number[];
    const weighted = b.apply("Mul", [y, { dtype, shape, data: array(sizeOf(shape), -1, 1) }]);
    return b.apply("ReduceSum", [weighted], { keepdims: 0 });
  });
  const loss = b.apply("Sum", parts);
  graph.outputs.push(loss);
  const { graph: whole, gradients: found } = gradients(graph, loss, inputs, { opset: version });
  const model = modelOf(whole, version);
  const session = await runtime.load(writeModel(model)).catch((error: Error) => {
    throw new Error(`${name} ${JSON.stringify(extents)}: ${error.message}`);
  });
  const feeds = Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor]));
  const results = await session.run(feeds);
  // What stands in a fused operator's place gives what it gave.
  const untouched = await runtime.load(writeModel({ ...model, graph }));
  const plain = (await untouched.run(feeds))[loss.name]!.data[0];
  await untouched.close();
  expect(Math.abs(Number(results[loss.name]!.data[0]) - Number(plain)), name).toBeLessThan(
    2e-5 * Math.max(1, Math.abs(Number(plain))),
  );
  const lossAt = async () => Number((await session.run(feeds, [loss.name]))[loss.name]!.data[0]);
  // Convolutions are linear in each input, so a large step has no error but rounding.
  const isLinear = name.startsWith("Conv") || name === "AveragePool";
  const step = dtype === "float64" ? 1e-5 : isLinear ? 1 : 1e-2;
  const tolerance = dtype === "float64" ? 1e-6 : isLinear ? 1e-4 : 3e-3;
  for (const [i, tensor] of tensors.entries()) {
    const given = results[found.get(inputs[i]!)!.name]!;
    expect(given.shape, `${name}: shape of the gradient of x${i}`).toEqual(tensor.shape);
    const data = tensor.data as Float64Array;
    for (let at = 0; at < data.length; at++) {
      const value = data[at]!;
      data[at] = value + step;
      const above = await lossAt();
      data[at] = value - step;
      const below = await lossAt();
      data[at] = value;
      const expected = (above - below) / (2 * step);
      const error = Math.abs(Number(given.data[at]) - expected) / Math.max(1, Math.abs(expected));
      expect(
        error,
        `${name} ${JSON.stringify(extents)} x${i}[${at}]: ${given.data[at]}, not ${expected}`,
      ).toBeLessThan(tolerance);
    }
  }
  await session.close();
}
