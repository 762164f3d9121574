import {
  build,
  emptyGraph,
  float32,
  int64,
  type Model,
  modelOf,
  type Preprocessor,
  random,
} from "@graft-ml/core";
import { describe, expect, test } from "vitest";
import { classes, quality, row, usual } from "../../../../test/fine-tuning.ts";
import { fineTune } from "./index.ts";

describe("texts as token ids", () => {
  const words = (text: string) => text.split(" ").map(Number);
  const tokens: Preprocessor = {
    kind: "text",
    fingerprint: "tokens",
    extentOf: (input) => 4 * Math.ceil(words((input as { text: string }).text).length / 4),
    async prepare(inputs) {
      const extent = Math.max(...inputs.map((input) => tokens.extentOf!(input)));
      const ids = inputs.flatMap((input) => {
        const all = words((input as { text: string }).text);
        return Array.from({ length: extent }, (_, i) => all[i] ?? 0);
      });
      const shape = [inputs.length, extent];
      return {
        input_ids: int64(shape, ids),
        attention_mask: int64(
          shape,
          ids.map((id) => (id > 0 ? 1 : 0)),
        ),
      };
    },
    files: () => ({}),
  };
  /** Two words of 20 say the class by their order, which a bag of words does not see. */
  const texts = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => {
      const source = random(from + i);
      const y = (from + i) % 2;
      const noise = Array.from({ length: 1 + source.integer(9) }, () => 3 + source.integer(17));
      return row([...noise, ...(y ? [1, 2] : [2, 1])].join(" "), classes[y]!);
    });
  function encoder(): Model {
    const graph = emptyGraph("encoder");
    const b = build(graph);
    const w = (name: string, seed: number, shape: number[]) => {
      const source = random(seed);
      const size = shape.reduce((x, y) => x * y);
      return b.constant(
        float32(
          shape,
          Array.from({ length: size }, () => 0.4 * source.normal()),
        ),
        name,
      );
    };
    const ids = b.input("input_ids", "int64", ["batch", "length"]);
    const mask = b.input("attention_mask", "int64", ["batch", "length"]);
    let x = b.apply("Gather", [w("embeddings.weight", 1, [20, 8]), ids]);
    const kernel = w("layer.0.conv.weight", 2, [12, 8, 2]);
    x = b.apply("Conv", [b.apply("Transpose", [x], { perm: [0, 2, 1] }), kernel], { pads: [0, 1] });
    x = b.apply("Transpose", [b.apply("Relu", [x])], { perm: [0, 2, 1] });
    x = b.apply("Tanh", [
      b.apply("Add", [
        b.apply("MatMul", [x, w("layer.1.dense.weight", 3, [12, 6])]),
        w("layer.1.dense.bias", 4, [6]),
      ]),
    ]);
    const flags = b.apply("Unsqueeze", [b.apply("Cast", [mask], { to: 1 }), int64([1], [2])]);
    const sum = b.apply("ReduceSum", [b.apply("Mul", [x, flags]), int64([1], [1])], { keepdims: 0 });
    x = b.apply(
      "Div",
      [sum, b.apply("ReduceSum", [flags, int64([1], [1])], { keepdims: 0 })],
      {},
      { name: "features" },
    );
    graph.outputs.push(Object.assign(x, { dtype: "float32", shape: ["batch", 6] }));
    return modelOf(graph);
  }
  test.each([
    ["lp-ft", 2],
    ["full", 3],
    ["lora", 2],
  ] as const)("of different lengths: %s, %s blocks", async (method, depth) => {
    const options = usual({ trunk: encoder(), preprocessor: tokens, rows: texts(0, 80), method });
    const probe = await fineTune({ ...options, method: "probe" });
    const settings = { epochs: 12, learningRate: 0.02, depth, batchSize: 8 };
    const tuned = await fineTune({ ...options, settings });
    const test = texts(5000, 60);
    const [before, after] = [
      await quality(probe.model, tokens, test),
      await quality(tuned.model, tokens, test),
    ];
    expect(after.loss).toBeLessThan(0.7 * before.loss);
    await expect(fineTune({ ...options, settings: { flip: true } })).rejects.toThrow(/change images/);
  });
});
