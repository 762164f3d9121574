// From a table of texts to a proven model: `graft train examples/support/messages.csv --output runs/support`, in code.
import { fileURLToPath } from "node:url";
import { openRun, ortRuntime, readDataset, trainRun } from "graft-ml";

const output = process.argv[2] ?? "runs/support";
const file = (path) => fileURLToPath(new URL(path, import.meta.url));

const dataset = await readDataset(file("support/messages.csv"));
console.log(`${dataset.rows.length} messages in ${dataset.classes.length} classes`);

// Backbone "none": TF-IDF of words and characters. Terms, head and strength are chosen on the training part alone.
const runtime = await ortRuntime();
const { metrics } = await trainRun(dataset, { output, backbones: ["none"], fast: true, seed: 0, runtime });
const { n, accuracy, interval, macroF1, ece } = metrics.test;
const range = interval.map((bound) => bound.toFixed(3)).join(" to ");
console.log(`${n} test messages: accuracy ${accuracy.toFixed(3)} (95 % interval ${range})`);
console.log(`macro-F1 ${macroF1.toFixed(3)}, calibration error ${ece.toFixed(3)}`);
console.log(`always the largest class: ${metrics.baselines.majority.toFixed(3)}`);

// The folder is all there is to it: model.onnx, the preprocessing, golden inputs, metrics, a report.
const run = await openRun(output, { runtime });
const unlabelled = await readDataset(file("support/unlabelled.csv"), { labels: "optional" });
const { predictions } = await run.predict(unlabelled.rows.slice(0, 5));
for (const { text, label, probability } of predictions)
  console.log(`${label} ${probability.toFixed(2)}  ${text}`);
await run.close();
await runtime.close();
