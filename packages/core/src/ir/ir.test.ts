import { describe, expect, it } from "vitest";
import { float32, int64 } from "../tensor.ts";
import { build, emptyGraph, ints } from "./build.ts";
import { cloneGraph, cloneModel } from "./clone.ts";
import { firstDifference, firstGraphDifference } from "./compare.ts";
import type { Graph, Model, Value } from "./graph.ts";
import { join, joinModels } from "./join.ts";
import { opsetOf, raiseOpset } from "./opset.ts";
import { sortNodes } from "./order.ts";
import { printGraph, printModel } from "./print.ts";
import { consumers, producers, prune } from "./prune.ts";
import { validate } from "./validate.ts";

/** y = relu(x · w + b); a side branch nobody needs. */
function mlp(): Graph {
  const graph = emptyGraph("mlp");
  const g = build(graph);
  const x = g.input("x", "float32", ["batch", 2]);
  const w = g.constant(float32([2, 3], [1, 2, 3, 4, 5, 6.5]), "w");
  const b = g.constant(float32([3], [0, 0, 1]), "b");
  const sum = g.apply("Add", [g.apply("MatMul", [x, w]), b]);
  g.apply("Exp", [g.apply("Mul", [sum, g.constant(float32([], [2]), "two")])], {}, { name: "unused" });
  graph.outputs.push(g.apply("Relu", [sum], {}, { name: "y" }));
  return graph;
}

function modelOf(graph: Graph, opset = 17): Model {
  return {
    graph,
    opsets: new Map([["", opset]]),
    irVersion: 8,
    producer: { name: "test", version: "1" },
    domain: "",
    modelVersion: 0n,
    doc: "",
    metadata: new Map(),
  };
}

/** If(flag) { inner } else { inner } where `make` fills a branch. */
function branches(graph: Graph, flag: Value, make: (g: ReturnType<typeof build>) => Value): Value {
  const branch = () => {
    const inner = emptyGraph("branch");
    inner.outputs.push(make(build(inner)));
    return inner;
  };
  return build(graph).apply("If", [flag], { then_branch: branch(), else_branch: branch() });
}

describe("prune", () => {
  it("keeps what the outputs depend on, and inputs unless told otherwise", () => {
    const graph = mlp();
    build(graph).input("mask", "float32", []);
    const kept = prune(graph);
    expect(kept.nodes.map((node) => node.opType)).toEqual(["MatMul", "Add", "Relu"]);
    expect([...kept.initializers.keys()].map((value) => value.name)).toEqual(["w", "b"]);
    expect(kept.inputs.map((value) => value.name)).toEqual(["x", "mask"]);
    expect(prune(graph, { inputs: true }).inputs.map((value) => value.name)).toEqual(["x"]);
    expect(graph.nodes).toHaveLength(5);
  });

  it("keeps what only a subgraph uses", () => {
    const graph = emptyGraph();
    const g = build(graph);
    const flag = g.input("flag", "bool", []);
    const x = g.input("x", "float32", [1]);
    const hidden = g.apply("Exp", [x]);
    graph.outputs.push(branches(graph, flag, (inner) => inner.apply("Neg", [hidden])));
    expect(prune(graph).nodes.map((node) => node.opType)).toEqual(["Exp", "If"]);
    expect(consumers(graph).get(hidden)).toEqual([{ node: graph.nodes[1], index: -1 }]);
    expect(producers(graph).get(hidden)).toBe(graph.nodes[0]);
  });
});

describe("sortNodes", () => {
  it("leaves an order that is right and repairs one that is not", () => {
    const { nodes } = mlp();
    expect(sortNodes(nodes)).toEqual(nodes);
    expect(sortNodes(nodes.toReversed()).map((node) => node.opType)).toEqual([
      "MatMul",
      "Add",
      "Relu",
      "Mul",
      "Exp",
    ]);
  });

  it("names a cycle", () => {
    const graph = mlp();
    graph.nodes[0]!.inputs[0] = graph.outputs[0]!;
    expect(() => sortNodes(graph.nodes)).toThrow(/"matmul" \(MatMul\).*depend on each other in a circle/);
  });

  it("orders a chain of 100 000 nodes without running out of stack", () => {
    const graph = emptyGraph();
    const g = build(graph);
    let x = g.input("x", "float32", []);
    for (let i = 0; i < 100_000; i++) x = g.apply("Neg", [x]);
    expect(sortNodes(graph.nodes.toReversed())).toHaveLength(100_000);
  });
});

describe("clone and compare", () => {
  it("copies values and nodes and shares tensors", () => {
    const graph = mlp();
    const copy = cloneGraph(graph);
    expect(firstGraphDifference(graph, copy)).toBeNull();
    expect(copy.nodes[0]).not.toBe(graph.nodes[0]);
    expect(copy.inputs[0]).not.toBe(graph.inputs[0]);
    expect([...copy.initializers.values()][0]).toBe([...graph.initializers.values()][0]);
    copy.inputs[0]!.name = "z";
    expect(graph.inputs[0]!.name).toBe("x");
    expect(firstGraphDifference(graph, copy)).toBe('graph.inputs[0]("x").name: "x" is not "z"');
  });

  it("gives subgraphs the copies of the values around them", () => {
    const graph = emptyGraph();
    const g = build(graph);
    const x = g.apply("Exp", [g.input("x", "float32", [])]);
    graph.outputs.push(branches(graph, g.input("flag", "bool", []), (inner) => inner.apply("Neg", [x])));
    const copy = cloneGraph(graph);
    const branch = copy.nodes[1]!.attributes.get("then_branch")!;
    expect(branch.type === "graph" && branch.value.nodes[0]!.inputs[0]).toBe(copy.nodes[0]!.outputs[0]);
  });

  it("sees another wiring although all names agree", () => {
    const [a, b] = [mlp(), mlp()];
    b.nodes[1]!.inputs.reverse();
    expect(firstGraphDifference(a, b)).toMatch(/inputs\[0\]/);
    const c = mlp();
    c.initializers.set([...c.initializers.keys()][0]!, float32([2, 3], [1, 2, 3, 4, 5, 7]));
    expect(firstGraphDifference(a, c)).toMatch(/^graph\.initializers\.w.*data: byte \d+ differs$/);
    expect(firstDifference(modelOf(a), modelOf(mlp(), 18))).toMatch(/opsets.*17 is not 18/);
  });
});

describe("join", () => {
  it("feeds one graph from another without renaming", () => {
    const target = mlp();
    const other = mlp();
    const w = [...other.initializers.keys()][0]!;
    const values = join(target, other, new Map([[other.inputs[0]!, target.outputs[0]!]]));
    expect(target.inputs).toHaveLength(1);
    expect(target.initializers.size).toBe(6);
    expect(values.get(w)).not.toBe(w);
    target.outputs = [values.get(other.outputs[0]!)!];
    validate(modelOf(target));
    expect(prune(target).nodes).toHaveLength(6);
  });

  it("joins models by the names of outputs and inputs", () => {
    const joined = joinModels(modelOf(mlp()), modelOf(mlp()), { x: "y" });
    validate(joined);
    expect(joined.graph.outputs).toHaveLength(1);
    expect(() => joinModels(modelOf(mlp()), modelOf(mlp(), 18), { x: "y" })).toThrow(/versions 17 and 18/);
    expect(() => joinModels(modelOf(mlp()), modelOf(mlp()), { x: "z" })).toThrow(
      'there is no output "z" to join; there are y',
    );
  });
});

describe("validate", () => {
  it("accepts a sound model", () => validate(modelOf(mlp())));

  it("names what is wrong", () => {
    const wrong = (change: (graph: Graph, model: Model) => void) => {
      const model = modelOf(mlp());
      change(model.graph, model);
      return () => validate(model);
    };
    expect(wrong((graph) => graph.nodes.reverse())).toThrow(/"add", which nothing before it makes/);
    expect(wrong((graph) => graph.nodes.push(graph.nodes[0]!))).toThrow(/"matmul" is made twice/);
    expect(wrong((graph) => graph.outputs.push({ name: "q", dtype: null, shape: null }))).toThrow(
      'nothing makes the output "q"',
    );
    expect(wrong((graph) => graph.outputs.push(graph.outputs[0]!))).toThrow(/"y" is listed twice/);
    expect(wrong((_, model) => model.opsets.set("", 0))).toThrow(/versions count from 1/);
    expect(wrong((graph) => (graph.nodes[0]!.domain = "com.example"))).toThrow(
      /"com.example", for which the model states no operator set/,
    );
    expect(
      wrong((graph) => {
        const [w] = graph.initializers.keys();
        graph.initializers.set(w!, { ...int64([1], [1]), shape: [2] });
      }),
    ).toThrow(/"w" of shape \[2\] has 1 elements/);
  });
});

describe("operator sets", () => {
  it("raises where nothing changes and refuses where something would", () => {
    const model = modelOf(mlp(), 11);
    expect(opsetOf(raiseOpset(model, 21))).toBe(21);
    expect(raiseOpset(model, 21).irVersion).toBe(10);
    expect(opsetOf(model)).toBe(11);
    expect(raiseOpset(model, 9)).toBe(model);
    const g = build(model.graph);
    g.apply("Softmax", [model.graph.outputs[0]!], { axis: 1 });
    expect(opsetOf(raiseOpset(model, 12))).toBe(12);
    expect(() => raiseOpset(model, 13)).toThrow(
      'operator set 13 would change the meaning of node "softmax" (Softmax changed in 13)',
    );
    expect(() => opsetOf(model, "com.example")).toThrow(/states no version/);
  });

  it("looks into subgraphs", () => {
    const graph = emptyGraph();
    const g = build(graph);
    const x = g.input("x", "float32", [1, 1]);
    const flag = g.input("flag", "bool", []);
    graph.outputs.push(branches(graph, flag, (inner) => inner.apply("Squeeze", [x], { axes: [0] })));
    expect(() => raiseOpset(modelOf(graph, 11), 17)).toThrow(/Squeeze changed in 13/);
    const cloned = cloneModel(modelOf(graph, 13));
    expect(opsetOf(raiseOpset(cloned, 13))).toBe(13);
  });
});

describe("printing", () => {
  it("is one line a node", () => {
    const graph = mlp();
    build(graph).apply("Reshape", [graph.outputs[0]!, ints([-1])], { allowzero: 1 });
    expect(printGraph(graph)).toBe(`graph mlp(x: float32[batch, 2]) -> y
  w: float32[2, 3] = 1, 2, 3, 4, …
  b: float32[3] = 0, 0, 1
  two: float32[] = 2
  constant: int64[1] = -1
  matmul = MatMul(x, w)
  add = Add(matmul, b)
  mul = Mul(add, two)
  unused = Exp(mul)
  y = Relu(add)
  reshape = Reshape(y, constant, allowzero=1)`);
    expect(printModel(modelOf(graph))).toMatch(/^model {2}IR 8, ai.onnx 17, by test 1\ngraph mlp/);
  });

  it("indents subgraphs", () => {
    const graph = emptyGraph("outer");
    const g = build(graph);
    const x = g.input("x", "float32", [1]);
    branches(graph, g.input("flag", "bool", []), (inner) => inner.apply("Neg", [x]));
    expect(printGraph(graph)).toBe(`graph outer(x: float32[1], flag: bool[]) -> 
  if = If(flag)
    then_branch: graph branch() -> neg
      neg = Neg(x)
    else_branch: graph branch() -> neg
      neg = Neg(x)`);
  });
});
