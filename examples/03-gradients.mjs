// A model is an ONNX graph, and so is its gradient: build a small network, differentiate it, train it, keep it as ONNX.
import * as graft from "graft-ml";

const { float32, random } = graft;
const source = random(3);
const normals = (shape) =>
  float32(
    shape,
    Float32Array.from({ length: graft.sizeOf(shape) }, () => 0.7 * source.normal()),
  );

// Two inputs, a hidden layer of 8, two classes.
const graph = graft.emptyGraph("exclusive-or");
const g = graft.build(graph);
const x = g.input("x", "float32", ["batch", 2]);
const lower = g.apply("Gemm", [x, g.constant(normals([2, 8]), "w1"), g.constant(normals([8]), "b1")]);
const hidden = g.apply("Tanh", [lower]);
const upper = [hidden, g.constant(normals([8, 2]), "w2"), g.constant(normals([2]), "b2")];
graph.outputs.push(g.apply("Gemm", upper, {}, { name: "logits" }));
const model = graft.modelOf(graph);

// The plan is the network with its loss and the gradient of every parameter, in one graph of plain operators.
const plan = graft.planTraining(model, {
  train: () => true,
  loss: (formula, { outputs }, input) =>
    graft.crossEntropy(formula, outputs[0], input("targets", "float32", ["batch", 2])),
});
console.log(`the network has ${graph.nodes.length} nodes, with gradients ${plan.model.graph.nodes.length}`);

/** Noisy points around the corners of a square: the class is the exclusive or of their signs. */
function points(count, draw) {
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  const data = Array.from(labels).flatMap((label) => {
    const a = draw.integer(2);
    return [a, a ^ label].map((bit) => 2 * bit - 1 + 0.3 * draw.normal());
  });
  return { labels, x: float32([count, 2], data) };
}
function* batches(epoch, from) {
  for (let batch = from; batch < 8; batch++) {
    const { labels, x } = points(32, random(epoch * 8 + batch));
    yield { x, targets: graft.classTargets(labels, 2) };
  }
}

const runtime = await graft.ortRuntime();
const settings = { runtime, optimizer: graft.optimizers.adamw, rate: 0.03, epochs: 10, batches };
const { losses, parameters } = await graft.train(plan, settings);
console.log(`loss ${losses.map((loss) => loss.toFixed(3)).join(", ")}`);

const trained = graft.writeModel(graft.withParameters(model, parameters));
const session = await runtime.load(trained);
const { labels, x: fresh } = points(1000, random(99_999));
const { logits } = await session.run({ x: fresh });
const predicted = graft.mostProbable({ rows: 1000, columns: 2, data: logits.data });
console.log(`accuracy ${graft.accuracy(predicted, labels).toFixed(3)} from ${trained.length} bytes of ONNX`);
await runtime.close();
