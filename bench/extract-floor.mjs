// What an extraction can reach at all: bare ONNX Runtime with MobileNetV2 on tensors that are ready, by the
// size of a batch, sessions side by side, threads of each, and whether idle threads wait in a loop. Best of
// the rounds; none of it is Graft. GRAFT_MODEL names another network's file, with an input "input" of [batch,
// 3, 224, 224].
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import ort from "onnxruntime-node";

const SIDE = 224;
const SECONDS = 0.8;
const ROUNDS = 2;

if (!isMainThread) await lane(workerData);

/** @param {(line: string) => void} say */
export async function run(say) {
  const folder = await mkdtemp(join(tmpdir(), "graft-bench-"));
  const model = process.env.GRAFT_MODEL ?? (await trunk(join(folder, "trunk.onnx")));
  const forms = [1, 2, 4, 8, 16].flatMap((batch) => [
    { batch, sessions: 1, threads: 1, spinning: false },
    { batch, sessions: 1, threads: 2, spinning: true },
    { batch, sessions: 1, threads: 2, spinning: false },
    { batch, sessions: 2, threads: 1, spinning: false },
  ]);
  const rates = forms.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, form] of forms.entries()) {
      rates[i].push(await once(model, form));
      say(`${JSON.stringify(form)} ${rates[i].at(-1).toFixed(1)} images/s`);
    }
  }
  await rm(folder, { recursive: true });
  return forms.map((form, i) => ({
    ...{ case: "bare ONNX Runtime", ...form, "images/s": Number(Math.max(...rates[i]).toFixed(1)) },
    spread: [Math.min(...rates[i]), Math.max(...rates[i])].map((rate) => Number(rate.toFixed(1))),
  }));
}

/** MobileNetV2 up to its features, written to `path`. */
async function trunk(path) {
  const { prune, readModel, resolveBackbone, writeModel } = await import("graft-ml");
  const root = fileURLToPath(new URL("..", import.meta.url));
  const data = process.env.GRAFT_DATA ?? join(root, "../shared/data");
  const backbone = await resolveBackbone(join(data, "models/mobilenet_v2_1.0_224"));
  const model = readModel(backbone.model, { source: backbone.path });
  model.graph.outputs = model.graph.outputs.filter(({ name }) => name === "features");
  model.graph = prune(model.graph);
  await writeFile(path, writeModel(model));
  return path;
}

/** Images a second of one form. */
async function once(model, { sessions, ...form }) {
  const workers = Array.from({ length: sessions }, () => {
    return new Worker(new URL(import.meta.url), { workerData: { model, ...form } });
  });
  const message = (worker) =>
    new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
  await Promise.all(workers.map(message)); // loaded and warm
  const answers = workers.map(message);
  for (const worker of workers) worker.postMessage("go");
  const rates = await Promise.all(answers);
  await Promise.all(workers.map((worker) => worker.terminate()));
  return rates.reduce((sum, one) => sum + one, 0);
}

async function lane({ model, batch, threads, spinning }) {
  const session = await ort.InferenceSession.create(model, {
    ...{ intraOpNumThreads: threads, interOpNumThreads: 1, graphOptimizationLevel: "all" },
    extra: { session: { intra_op: { allow_spinning: spinning ? "1" : "0" } } },
  });
  const values = Float32Array.from({ length: batch * 3 * SIDE * SIDE }, (_, i) => Math.sin(i));
  const feeds = { input: new ort.Tensor("float32", values, [batch, 3, SIDE, SIDE]) };
  for (let i = 0; i < 2; i++) await session.run(feeds);
  parentPort.postMessage("ready");
  await new Promise((resolve) => parentPort.once("message", resolve));
  const begin = performance.now();
  let runs = 0;
  let seconds = 0;
  for (; seconds < SECONDS; runs++, seconds = (performance.now() - begin) / 1000) await session.run(feeds);
  parentPort.postMessage((runs * batch) / seconds);
}
