import * as module from "onnxruntime-node";
import { expect, test } from "vitest";
import { writeModel } from "../onnx/write.ts";
import { ort } from "../runtime/ort.ts";
import { float32 } from "../tensor.ts";
import { build, emptyGraph, modelOf } from "./build.ts";
import type { Model } from "./graph.ts";
import { mergeModels } from "./merge.ts";

/** tanh(x·w)·head, with x [batch, 2]. */
function network(trunk: readonly number[], head: readonly number[]): Model {
  const b = build(emptyGraph("net"));
  const x = b.input("x", "float32", ["batch", 2]);
  const hidden = b.apply("Tanh", [
    b.apply("MatMul", [x, b.constant(float32([2, 2], trunk), "trunk.weight")]),
  ]);
  const weight = b.constant(float32([2, head.length / 2], head), "head.weight");
  const scores = b.apply("MatMul", [hidden, weight], {}, { name: "scores" });
  b.graph.outputs.push(Object.assign(scores, { dtype: "float32", shape: ["batch", head.length / 2] }));
  return modelOf(b.graph);
}

async function run(model: Model) {
  const session = await ort(module as never).load(writeModel(model));
  const results = await session.run({ x: float32([1, 2], [0.5, -1]) });
  await session.close();
  return Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => [name, Array.from(data as Float32Array)]),
  );
}

const common = [1, 2, 3, 4];
const one = network(common, [1, 0, 0, 1]);
const other = network(common, [1, 1, -1, 2, 0, 3]);
const outputs = (name: string) => ({ outputs: { scores: name } });

test("models with a common trunk become one trunk with their heads, which say what they said apart", async () => {
  const merged = mergeModels([
    { model: one, ...outputs("a") },
    { model: other, ...outputs("b") },
  ]);
  expect(merged.graph.nodes.map(({ opType }) => opType).sort()).toEqual(
    ["Identity", "Identity", "MatMul", "MatMul", "MatMul", "Tanh"].sort(),
  );
  expect([...merged.graph.initializers.keys()].map(({ name }) => name).sort()).toEqual([
    "head.weight",
    "head.weight_1",
    "trunk.weight",
  ]);
  const { a, b } = await run(merged);
  expect(a).toEqual((await run(one)).scores);
  expect(b).toEqual((await run(other)).scores);
});

test("trunks that were trained apart stay apart", async () => {
  const apart = network([4, 3, 2, 1], [1, 0, 0, 1]);
  const merged = mergeModels([
    { model: one, ...outputs("a") },
    { model: apart, ...outputs("b") },
  ]);
  expect(merged.graph.nodes.filter(({ opType }) => opType === "Tanh")).toHaveLength(2);
  const { a, b } = await run(merged);
  expect(a).toEqual((await run(one)).scores);
  expect(b).toEqual((await run(apart)).scores);
});

test("an output named like a value inside, clashing names and other inputs", async () => {
  const { tanh } = await run(mergeModels([{ model: one, ...outputs("tanh") }]));
  expect(tanh).toEqual((await run(one)).scores);
  const twice = [one, other].map((model) => ({ model, ...outputs("a") }));
  expect(() => mergeModels(twice)).toThrow(/two outputs of the merged model are called "a"/);
  expect(() => mergeModels([{ model: one, ...outputs("x") }])).toThrow(/an input of the network/);
  expect(() => mergeModels([{ model: one, outputs: { y: "a" } }])).toThrow(/no output "y"/);
  const wide = network(common, [1, 0, 0, 1]);
  wide.graph.inputs[0]!.shape = ["rows", 2];
  expect(() =>
    mergeModels([
      { model: one, ...outputs("a") },
      { model: wide, ...outputs("b") },
    ]),
  ).toThrow(/take "x" in different shapes/);
});
