// Graft's side of bench/train-step.mjs: THREADS LAYOUT; a JSON object a line in and out.
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import module from "onnxruntime-node";
import * as core from "../packages/core/dist/index.js";

const [threads, layout] = process.argv.slice(2);
const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
let prepared;

const lines = createInterface({ input: process.stdin });
for await (const line of lines) {
  const asked = JSON.parse(line);
  const answer = asked.make ? await make(asked.make) : await steps(asked.steps);
  console.log(JSON.stringify(answer));
}
process.exit(0);

async function make({ path, shape, dtype, x, labels, trained }) {
  const runtime = core.ort(module, { session: { intraOpNumThreads: Number(threads) } });
  const block = layout === "blocked" ? await core.blockOf(runtime) : 0;
  const chosen = new Set(trained);
  const rows = shape[0];
  const plan = core.planTraining(core.readModel(readFileSync(path)), {
    train: (name) => chosen.has(name),
    shapes: { x: shape },
    block,
    loss: (g, graph, input) =>
      core.crossEntropy(g, graph.outputs[0], input("targets", "float32", [rows, 10])),
  });
  const bytes = readFileSync(x);
  const memory = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const data = dtype === "int64" ? new BigInt64Array(memory) : new Float32Array(memory);
  const feeds = { x: { dtype, shape, data }, targets: core.classTargets(labels, 10) };
  const session = await runtime.load(core.writeModel(plan.model));
  const results = await session.run({ ...feeds, ...Object.fromEntries(plan.parameters) });
  await session.close();
  const gradients = `${path}.${layout}.gradients`;
  writeFileSync(
    gradients,
    Buffer.concat(trained.map((name) => new Uint8Array(results[plan.gradients.get(name)].data.buffer))),
  );
  prepared = loop(runtime, plan, feeds);
  await prepared.next();
  return { loss: results[plan.loss].data[0], gradients, block };
}

/** Trains for as long as it is asked to: a step is what lies between two calls of `onStep`. */
async function* loop(runtime, plan, feeds) {
  const used = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  let wanted = 0;
  let left = 0;
  let go = () => {};
  let arrived = () => {};
  let [clock, work] = [0, 0];
  const times = { wall: [], work: [] };
  const training = core.train(plan, {
    runtime,
    optimizer: core.optimizers.adamw,
    rate: 1e-5,
    epochs: 1,
    async *batches() {
      for (;;) {
        while (wanted === 0) {
          await new Promise((resolve) => {
            go = resolve;
          });
        }
        wanted--;
        yield feeds;
      }
    },
    onStep() {
      const [now, spent] = [performance.now(), used()];
      times.wall.push(now - clock);
      times.work.push(spent - work);
      [clock, work] = [now, spent];
      if (--left === 0) arrived();
    },
  });
  training.catch((error) => {
    console.error(error);
    process.exit(1);
  });
  for (let count = 2; ; ) {
    const done = new Promise((resolve) => {
      arrived = resolve;
    });
    times.wall.length = 0;
    times.work.length = 0;
    [clock, work] = [performance.now(), used()];
    left = count;
    wanted = count;
    go();
    await done;
    count = yield {
      wall: middle(times.wall.slice(1)),
      work: middle(times.work.slice(1)),
      peak: process.resourceUsage().maxRSS / 1024,
    };
  }
}

async function steps(count) {
  // The first step after a pause wakes threads and caches.
  return (await prepared.next(count + 1)).value;
}
