// Features at any layer of a network: list the layers, cut at each, fit a head on what comes out there.
// The network is built here, its weights random: a stand-in for a pretrained one, which `resolveBackbone` would read.
import * as graft from "graft-ml";

const { float32, random, takeRows } = graft;
const SIDE = 16;
const source = random(1);
const normals = (shape, scale) =>
  float32(
    shape,
    Float32Array.from({ length: graft.sizeOf(shape) }, () => scale * source.normal()),
  );

const graph = graft.emptyGraph("small");
const g = graft.build(graph);
const image = g.input("image", "float32", ["batch", 1, SIDE, SIDE]);
const edges = g.apply("Conv", [image, normals([12, 1, 3, 3], 0.5)], {}, { name: "edges" });
const first = g.apply("Relu", [edges], {}, { name: "first" });
const pooled = g.apply("MaxPool", [first], { kernel_shape: [2, 2], strides: [2, 2] }, { name: "pooled" });
const parts = g.apply("Conv", [pooled, normals([24, 12, 3, 3], 0.15)], {}, { name: "parts" });
const second = g.apply("Relu", [parts], {}, { name: "second" });
const mean = g.apply("GlobalAveragePool", [second], {}, { name: "mean" });
const flat = g.apply("Flatten", [mean], {}, { name: "flat" });
graph.outputs.push(g.apply("MatMul", [flat, normals([24, 10], 0.3)], {}, { name: "logits" }));
const network = graft.modelOf(graph);

// Stripes across, stripes down, or both, at any offset and under noise: to raw pixels they look alike.
const labels = Int32Array.from({ length: 240 }, (_, i) => Math.floor(i / 2) % 3);
const pixels = graft.matrix(240, SIDE * SIDE);
for (const [i, label] of labels.entries()) {
  const [dx, dy] = [source.integer(4), source.integer(4)];
  for (let at = 0; at < SIDE * SIDE; at++) {
    const across = label !== 1 && (Math.floor(at / SIDE) + dy) % 4 < 2;
    const down = label !== 0 && ((at % SIDE) + dx) % 4 < 2;
    pixels.data[i * SIDE * SIDE + at] = Number(across !== down) + source.normal();
  }
}

const [train, test] = [0, 1].map((half) => Int32Array.from({ length: 120 }, (_, i) => 2 * i + half));
const of = (part) => part.map((i) => labels[i]);
const runtime = await graft.ortRuntime();
for (const layer of [null, ...graft.listLayers(network).map(({ name }) => name)]) {
  let features = pixels;
  if (layer !== null) {
    const cut = graft.featureModel(network, { layer, pooling: "mean" });
    const session = await runtime.load(graft.writeModel(cut.model));
    const answer = await session.run({ image: float32([240, 1, SIDE, SIDE], pixels.data) });
    features = graft.matrix(240, cut.dimension, answer.features.data);
  }
  const context = { classes: 3, random: random(0) };
  const head = await graft.heads.logistic.fit(takeRows(features, train), of(train), {}, context);
  const predicted = graft.mostProbable(head.predict(takeRows(features, test)));
  const share = graft.accuracy(predicted, of(test)).toFixed(2);
  console.log(`${layer ?? "raw pixels"}: ${features.columns} numbers, accuracy ${share}`);
}
await runtime.close();
