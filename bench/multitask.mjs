// A joint step of three tasks over one text CNN against the sum of the three tasks' own steps, interleaved.
import {
  architectures,
  build,
  classTargets,
  crossEntropy,
  featureModel,
  float32,
  int64,
  jointSchedule,
  lossWeightings,
  optimizers,
  ortRuntime,
  planTraining,
  random,
  taskSamplers,
  trainTasks,
} from "graft-ml";

const [ROWS, LENGTH, CLASSES, STEPS, ROUNDS] = [32, 32, 4, 20, 13];
const runtime = await ortRuntime({ threads: 1, spinning: false });
const network = architectures["text-cnn"].build({ vocabulary: 8000, width: 48, filters: 32 }, random(1));

function task(name) {
  const { model, dimension } = featureModel(network);
  const b = build(model.graph);
  const head = b.constant(
    float32([dimension, CLASSES], new Float32Array(dimension * CLASSES)),
    `heads.${name}`,
  );
  model.graph.outputs = [b.apply("MatMul", [model.graph.outputs[0], head])];
  const source = random(2).fork(name);
  const ids = Array.from({ length: ROWS * LENGTH }, () => source.integer(8000));
  const labels = Array.from({ length: ROWS }, () => source.integer(CLASSES));
  const shape = [ROWS, LENGTH];
  const feeds = {
    input_ids: int64(shape, ids),
    attention_mask: int64(
      shape,
      ids.map(() => 1),
    ),
    targets: classTargets(labels, CLASSES),
  };
  const plan = planTraining(model, {
    train: (parameter, { shape: { length } }) => length > 1 || /bias/.test(parameter),
    shapes: { input_ids: shape, attention_mask: shape },
    loss: (g, graph, input) =>
      crossEntropy(g, graph.outputs[0], input("targets", "float32", [ROWS, CLASSES])),
  });
  return { name, plan, feeds: async () => feeds };
}

/** Milliseconds a step, the first ones left out. */
async function step(tasks) {
  const times = [];
  let last = 0;
  const sizes = tasks.map(() => STEPS);
  const sampling = tasks.length > 1 ? "together" : taskSamplers.proportional;
  await trainTasks(tasks, {
    runtime,
    optimizer: optimizers.adamw,
    rate: 1e-3,
    clip: 1,
    epochs: 1,
    steps: jointSchedule({ sizes, epochs: 1, sampling, seed: 0 }),
    weighting: lossWeightings.fixed,
    seed: 0,
    onStep() {
      const now = performance.now();
      if (last > 0) times.push(now - last);
      last = now;
    },
  });
  const sorted = times.slice(3).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

const tasks = ["a", "b", "c"].map(task);
const rounds = [];
for (let round = 0; round <= ROUNDS; round++) {
  const joint = await step(tasks);
  let alone = 0;
  for (const one of tasks) alone += await step([one]);
  if (round > 0) rounds.push({ joint, alone, ratio: joint / alone });
}
await runtime.close();
rounds.sort((a, b) => a.ratio - b.ratio);
const { joint, alone, ratio } = rounds[Math.floor(rounds.length / 2)];
const row = {
  case: "a joint step of three tasks, text-cnn, 32 rows of 32 tokens each",
  ours: joint,
  peer: alone,
  peerName: "the sum of the three tasks' own steps",
  unit: "ms",
  ratio,
  spread: [rounds[0].ratio, rounds.at(-1).ratio],
};
console.log(
  `${row.case}: ${joint.toFixed(1)} ms, ${row.peerName} ${alone.toFixed(1)} ms, ratio ${ratio.toFixed(3)}`,
);
console.log(JSON.stringify({ name: "multitask", rows: [row] }));
