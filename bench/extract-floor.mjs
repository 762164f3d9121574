// What an extraction can reach at all: bare ONNX Runtime on tensors that are ready, by batch size, threads and sessions,
// and the price of decoding alone. `node bench/extract-floor.mjs MODEL [INPUT]`; images a second, best of the rounds.
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import ort from "onnxruntime-node";

const SIDE = 224;
const SECONDS = Number(process.env.FLOOR_SECONDS ?? 1.2);

if (isMainThread) await measure(process.argv[2], process.argv[3] ?? "input");
else await lane(workerData);

/** Each form in turn, several times over. @param {string} model @param {string} input */
async function measure(model, input) {
  const forms = [1, 2, 4, 8, 16].flatMap((batch) => [
    ...[{ batch, lanes: 1, threads: 1 }],
    ...[true, false].map((spinning) => ({ batch, lanes: 1, threads: 2, spinning })),
    { batch, lanes: 2, threads: 1 },
  ]);
  const best = forms.map(() => 0);
  for (let round = 0; round < Number(process.env.FLOOR_ROUNDS ?? 2); round++)
    for (const [i, form] of forms.entries()) best[i] = Math.max(best[i], await once(model, input, form));
  console.table(forms.map((form, i) => ({ ...form, "images/s": Number(best[i].toFixed(1)) })));
}

/** Images a second of one form. */
async function once(model, input, { lanes, ...form }) {
  const workers = Array.from({ length: lanes }, () => {
    return new Worker(new URL(import.meta.url), { workerData: { model, input, ...form } });
  });
  const message = (worker) => new Promise((resolve) => worker.once("message", resolve));
  await Promise.all(workers.map(message)); // loaded and warm
  const answers = workers.map(message);
  for (const worker of workers) worker.postMessage("go");
  const rates = await Promise.all(answers);
  await Promise.all(workers.map((worker) => worker.terminate()));
  return rates.reduce((sum, one) => sum + one, 0);
}

async function lane({ model, input, batch, threads, spinning = false }) {
  const session = await ort.InferenceSession.create(model, {
    ...{ intraOpNumThreads: threads, interOpNumThreads: 1, graphOptimizationLevel: "all" },
    extra: { session: { intra_op: { allow_spinning: spinning ? "1" : "0" } } },
  });
  const shape = [batch, 3, SIDE, SIDE];
  const values = Float32Array.from({ length: batch * 3 * SIDE * SIDE }, (_, i) => Math.sin(i));
  const feeds = { [input]: new ort.Tensor("float32", values, shape) };
  for (let i = 0; i < 2; i++) await session.run(feeds);
  parentPort.postMessage("ready");
  await new Promise((resolve) => parentPort.once("message", resolve));
  const begin = performance.now();
  let runs = 0;
  let seconds = 0;
  for (; seconds < SECONDS; runs++, seconds = (performance.now() - begin) / 1000) await session.run(feeds);
  parentPort.postMessage((runs * batch) / seconds);
}
