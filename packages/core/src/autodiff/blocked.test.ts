import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { build, emptyGraph } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { writeModel } from "../onnx/write.ts";
import { formulas } from "../ops/formula.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import { float32, type Tensor } from "../tensor.ts";
import { blockOf } from "../training/block.ts";
import { blocked } from "./blocked.ts";
import { BLOCKED_DOMAIN } from "./blocked-images.ts";
import { foldsImages, gainsFromBlocks } from "./blocks.ts";
import { gradients } from "./gradients.ts";

const runtime = ort(module as never);
const block = await blockOf(runtime);
if (block === 0) console.info("blocked: this runtime has no blocked layout, so nothing is compared with it");

interface Layer {
  outputs: number;
  kernel: number;
  strides?: number;
  dilations?: number;
  pads?: number[];
  group?: number;
}

/** A network of layers, each through an activation; loss: the sum of its squares. */
function network(
  extents: number[],
  layers: Layer[],
  activation: string,
  isResidual: boolean,
  isFolded = false,
) {
  const graph = emptyGraph("net");
  const b = build(graph);
  const g = formulas(b, "float32", 17, "");
  const source = random(3);
  const feeds: Record<string, Tensor> = {};
  const given = (name: string, shape: number[], size: number) => {
    const count = shape.reduce((x, y) => x * y);
    feeds[name] = float32(
      shape,
      Array.from({ length: count }, () => source.normal() * size),
    );
    return b.input(name, "float32", shape);
  };
  let y = given("x", extents, 1);
  let channels = extents[1]!;
  const parameters: Value[] = [];
  for (const [i, { outputs, kernel, strides = 1, dilations = 1, pads, group = 1 }] of layers.entries()) {
    const size = Math.sqrt(2 / ((channels / group) * kernel * kernel));
    const w = given(`w${i}`, [outputs, channels / group, kernel, kernel], size);
    const bias = given(`b${i}`, [outputs], 0.1);
    parameters.push(w, bias);
    const made = g.op("Conv", [y, w, bias], {
      kernel_shape: [kernel, kernel],
      strides: [strides, strides],
      dilations: [dilations, dilations],
      pads: pads ?? new Array(4).fill(((kernel - 1) * dilations) >> 1),
      group,
    });
    const sum: Value = isResidual && channels === outputs && strides === 1 ? g.add(made, y) : made;
    y =
      activation === "Clip"
        ? g.op("Clip", [sum, g.constant(float32([], [0])), g.constant(float32([], [6]))])
        : g.op(activation, [sum]);
    channels = outputs;
  }
  const mean = g.op("GlobalAveragePool", [y]);
  const loss = g.add(g.sum(g.square(mean)), g.mul(0.01, g.sum(g.square(y))));
  graph.outputs.push(loss);
  return { ...gradients(graph, loss, parameters, { isFolded }), feeds, forward: graph };
}

async function results(graph: Graph, feeds: Record<string, Tensor>) {
  const model = writeModel({
    graph,
    opsets: new Map([
      ["", 17],
      [BLOCKED_DOMAIN, 1],
    ]),
    irVersion: 8,
    producer: { name: "", version: "" },
    domain: "",
    modelVersion: 0n,
    doc: "",
    metadata: new Map(),
  });
  const session = await runtime.load(model);
  const all = await session.run(feeds);
  await session.close();
  return all;
}

const depthwise = (channels: number, kernel: number, strides = 1, more: Partial<Layer> = {}): Layer => ({
  outputs: channels,
  kernel,
  strides,
  group: channels,
  ...more,
});
const nets: [string, number[], Layer[]][] = [
  [
    "3×3, from three channels",
    [2, 3, 9, 8],
    [
      { outputs: 16, kernel: 3 },
      { outputs: 32, kernel: 3 },
    ],
  ],
  [
    "1×1",
    [3, 16, 5, 7],
    [
      { outputs: 48, kernel: 1 },
      { outputs: 16, kernel: 1 },
    ],
  ],
  ["depthwise", [2, 16, 6, 9], [depthwise(16, 3), { outputs: 32, kernel: 1 }, depthwise(32, 5)]],
  ["depthwise with strides, even", [2, 16, 8, 10], [{ outputs: 32, kernel: 1 }, depthwise(32, 3, 2)]],
  [
    "depthwise with strides, odd",
    [2, 16, 9, 7],
    [{ outputs: 16, kernel: 1 }, depthwise(16, 3, 2), depthwise(16, 3)],
  ],
  [
    "depthwise, dilated",
    [1, 16, 9, 9],
    [depthwise(16, 3, 1, { dilations: 2 }), depthwise(16, 3, 2, { dilations: 2 })],
  ],
  [
    "asymmetric pads",
    [2, 16, 8, 8],
    [{ outputs: 16, kernel: 3 }, depthwise(16, 3, 2, { pads: [0, 0, 1, 1] })],
  ],
  [
    "strides and a 7×7 stem",
    [2, 3, 21, 19],
    [
      { outputs: 16, kernel: 7, strides: 2 },
      { outputs: 32, kernel: 3, strides: 2 },
      { outputs: 32, kernel: 3 },
    ],
  ],
  [
    "dilated 3×3",
    [2, 16, 9, 9],
    [
      { outputs: 16, kernel: 3 },
      { outputs: 16, kernel: 3, dilations: 2 },
    ],
  ],
  [
    "groups and channels that fit no block",
    [2, 16, 6, 6],
    [
      { outputs: 20, kernel: 3 },
      { outputs: 16, kernel: 3, group: 4 },
      { outputs: 16, kernel: 1 },
    ],
  ],
  [
    "1×1 with strides",
    [2, 16, 8, 8],
    [
      { outputs: 32, kernel: 1, strides: 2, pads: [0, 0, 0, 0] },
      { outputs: 16, kernel: 3 },
    ],
  ],
];

describe.skipIf(block === 0)("blocked images", () => {
  const cases = nets.flatMap(([name, extents, layers], i) =>
    [false, true].map((isResidual) => {
      const activation = ["Relu", "Clip", "Sigmoid"][(i + Number(isResidual)) % 3]!;
      return [
        `${name}, ${activation}${isResidual ? " of sums" : ""}`,
        extents,
        layers,
        activation,
        isResidual,
      ] as const;
    }),
  );
  it.each(cases)(
    "give the same loss and gradients: %s",
    async (_, extents, layers, activation, isResidual) => {
      const { graph, feeds } = network(extents, layers, activation, isResidual);
      const plain = await results(graph, feeds);
      for (const isFolded of [false, true]) {
        const fast = await results(blocked(graph, block, isFolded), feeds);
        expect(Object.keys(fast)).toEqual(Object.keys(plain));
        for (const [name, { data, shape }] of Object.entries(plain)) {
          expect(fast[name]!.shape).toEqual(shape);
          const [a, b] = [data as Float32Array, fast[name]!.data as Float32Array];
          const most = a.reduce((x, y) => Math.max(x, Math.abs(y)), 1e-6);
          const far = a.reduce((x, y, i) => Math.max(x, Math.abs(y - b[i]!)), 0);
          expect(far / most, `${name}${isFolded ? ", channels in front" : ""}`).toBeLessThan(2e-5);
        }
      }
    },
  );
  it("hold every convolution with trained weights that fits, and depthwise gradients", () => {
    const { graph } = network(
      [2, 16, 8, 8],
      [{ outputs: 32, kernel: 1 }, depthwise(32, 3, 2)],
      "Clip",
      false,
    );
    const made = blocked(graph, block);
    expect(made.nodes.filter(({ opType, domain }) => /^Conv/.test(opType) && domain === "")).toEqual([]);
  });
  it("need no turning for weight gradients where channels lie in front of images", () => {
    const layers = [{ outputs: 32, kernel: 1 }, depthwise(32, 3, 2), { outputs: 16, kernel: 1 }];
    const { graph } = network([2, 16, 4, 4], layers, "Clip", false, true);
    const turned = (made: Graph) =>
      made.nodes.filter(({ opType, attributes }) => {
        const perm = attributes.get("perm");
        return opType === "Transpose" && perm?.type === "ints" && perm.value.join() === "1,0,2,3";
      }).length;
    expect(turned(blocked(graph, block, false))).toBe(4);
    expect(turned(blocked(graph, block, true))).toBe(0);
  });
  it("lie one after the other where a convolution looks at neighbours of all channels, or an operator reads them plain", () => {
    const of = (...layers: Layer[]) => network([2, 16, 8, 8], layers, "Relu", false).forward;
    const graph = of({ outputs: 32, kernel: 1 }, depthwise(32, 3));
    expect(foldsImages(graph, block)).toBe(true);
    expect(foldsImages(of({ outputs: 32, kernel: 3 }, depthwise(32, 3)), block)).toBe(false);
    build(graph).apply("MaxPool", [graph.nodes.find(({ opType }) => opType === "Relu")!.outputs[0]!], {
      kernel_shape: [2, 2],
    });
    expect(foldsImages(graph, block)).toBe(false);
  });
  it("leave a graph without trained convolutions as it is", () => {
    const { graph } = network([2, 6, 5, 5], [{ outputs: 5, kernel: 3 }], "Relu", false);
    expect(blocked(graph, block).nodes).toEqual(graph.nodes);
  });
});

describe("blocks pay", () => {
  const trained = (layer: Layer) => network([2, 16, 8, 8], [layer], "Relu", false).graph;
  it.each([
    [8, "depthwise", depthwise(16, 3), true],
    [8, "whole", { outputs: 16, kernel: 3 }, false],
    [16, "whole", { outputs: 16, kernel: 3 }, true],
  ] as const)("of %i, %s convolutions: %o, %s", (size, _, layer, expected) => {
    expect(gainsFromBlocks(trained(layer), size)).toBe(expected);
  });
});
