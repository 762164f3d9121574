// A joint step of three tasks against the sum of the three tasks' own steps, interleaved: classes over one
// text CNN, tags over one BiLSTM. ROUNDS=5 takes fewer rounds, CASES=tags one case. One thread.
import {
  appendTagHead,
  appendTrunk,
  architectures,
  build,
  classTargets,
  crossEntropy,
  emptyGraph,
  featureModel,
  float32,
  headLoss,
  headTargets,
  int64,
  jointSchedule,
  keepMasks,
  lossWeightings,
  modelOf,
  optimizers,
  ortRuntime,
  planTraining,
  random,
  taskSamplers,
  tokenEncoder,
  tokenEncoding,
  trainTasks,
} from "graft-ml";

const [ROWS, LENGTH, CLASSES, STEPS] = [32, 32, 4, 20];
const ROUNDS = Number(process.env.ROUNDS ?? 13);
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
async function step(tasks, runtime) {
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

const LETTERS = "abcdefghijklmnop";

/** Sentences of made-up words of which some are common. */
function sentences(source) {
  const word = () => {
    const number = Math.floor(4000 ** source.uniform());
    return Array.from(String(number), (digit) => LETTERS[Number(digit)]).join("");
  };
  return Array.from({ length: 32 }, () => Array.from({ length: 20 }, word));
}

/** A task that tags 640 tokens a step: 17 tags each by itself, 23 or 37 of whole sentences. */
function tagTask([name, kind, tags]) {
  const given = sentences(random(3).fork(name));
  const builder = build(emptyGraph(name));
  const encoder = "bilstm";
  const widths = { wordWidth: 64, affixWidth: 24, characterWidth: 24, characterFilters: 48, vectorWidth: 0 };
  const settings = { ...widths, encoder, encoderSettings: { units: 128 } };
  const { states, width, keeps } = appendTrunk(builder, {
    ...{ encoding, settings, random: random(4), training: true },
  });
  const head = { name: `heads.${name}`, kind, tags };
  appendTagHead(builder, states, width, head, random(5));
  const shape = { rows: given.length, length: given[0].length };
  const source = random(6).fork(name);
  const labels = given.map((tokens) => Int32Array.from(tokens, () => source.integer(tags)));
  const feeds = {
    ...tokenEncoder(encoding).feeds(given, { ...shape, random: source }),
    ...keepMasks(keeps, shape.rows, 0.33, source),
  };
  const targets = headTargets(head, labels, shape);
  const plan = planTraining(modelOf(builder.graph), {
    train: (parameter) => /^(tokens|encoder|heads)\./.test(parameter),
    shapes: Object.fromEntries(Object.entries(feeds).map(([input, one]) => [input, one.shape])),
    loss: (g, graph, input) => headLoss(g, graph, input, head, shape),
  });
  return { name, plan, feeds: async () => ({ ...feeds, ...targets }) };
}

const heads = [
  ["pos", "softmax", 17],
  ["chunk", "crf", 23],
  ["entity", "crf", 37],
];
const encoding = tokenEncoding(
  heads.flatMap(([name]) => sentences(random(3).fork(name))),
  { minimum: 1, affixRows: 8000, characters: false },
);

const cases = [
  [
    "classes",
    "a joint step of three tasks, text-cnn, 32 rows of 32 tokens each",
    () => ["a", "b", "c"].map(task),
  ],
  ["tags", "a joint step of three tagging tasks, bilstm, 640 tokens each", () => heads.map(tagTask)],
];

/** @param {(line: string) => void} say */
export async function run(say) {
  const runtime = await ortRuntime({ threads: 1, spinning: false });
  const rows = [];
  for (const [name, about, made] of cases) {
    if (process.env.CASES && process.env.CASES !== name) continue;
    const tasks = made();
    const rounds = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const joint = await step(tasks, runtime);
      let alone = 0;
      for (const one of tasks) alone += await step([one], runtime);
      if (round > 0) rounds.push({ joint, alone, ratio: joint / alone });
    }
    rounds.sort((a, b) => a.ratio - b.ratio);
    const { joint, alone, ratio } = rounds[Math.floor(rounds.length / 2)];
    rows.push({
      ...{ case: about, ours: joint, peer: alone, peerName: "the sum of the three tasks' own steps" },
      ...{ unit: "ms", ratio, spread: [rounds[0].ratio, rounds.at(-1).ratio] },
    });
    say(
      `${about}: ${joint.toFixed(1)} ms, the sum of the tasks' own ${alone.toFixed(1)} ms, ratio ${ratio.toFixed(3)} (${rounds[0].ratio.toFixed(2)}–${rounds.at(-1).ratio.toFixed(2)})`,
    );
  }
  await runtime.close();
  return rows;
}
