// The same answers everywhere: in another process, in ONNX Runtime without Graft, and the artefact proves itself.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openRun, ortRuntime, readDataset, readTfidfPreprocessor, trainRun } from "graft-ml";
import ort from "onnxruntime-node";

const [output = "runs/support", task = "train"] = process.argv.slice(2);
const path = fileURLToPath(new URL("support/messages.csv", import.meta.url));
const dataset = await readDataset(path);
const rows = dataset.rows.slice(0, 20);
const runtime = await ortRuntime();

/** The bits of the probabilities of the first messages. */
async function answers() {
  const run = await openRun(output, { runtime });
  const { probabilities } = await run.probabilities(rows);
  await run.close();
  return Buffer.from(probabilities.data.buffer).toString("hex");
}

if (task === "predict") console.log(await answers());
else {
  await trainRun(dataset, { output, fast: true, baselines: false, runtime });
  const here = await answers();
  const script = fileURLToPath(import.meta.url);
  const there = execFileSync(process.execPath, [script, output, "predict"], { encoding: "utf8" }).trim();
  console.log(`another process gives ${here === there ? "the same bits" : "OTHER NUMBERS"}`);

  // ONNX Runtime alone: tfidf.json says what a text becomes, model.onnx does the rest.
  const { prepare } = readTfidfPreprocessor(readFileSync(`${output}/tfidf.json`, "utf8"));
  const session = await ort.InferenceSession.create(`${output}/model.onnx`);
  const bits = [];
  for (const { input } of rows) {
    const feeds = Object.entries(await prepare([input])).map(([name, { dtype, data, shape }]) => {
      return [name, new ort.Tensor(dtype, data, shape)];
    });
    const { probabilities } = await session.run(Object.fromEntries(feeds));
    bits.push(Buffer.from(Float32Array.from(probabilities.data).buffer).toString("hex"));
  }
  console.log(`ONNX Runtime alone gives ${here === bits.join("") ? "the same bits" : "OTHER NUMBERS"}`);

  // Golden inputs stored in the folder go through decoding, preprocessing and the network again; `graft verify` does this.
  const run = await openRun(output, { runtime });
  const { rows: count, largestDifference, drifted } = await run.verify();
  console.log(`${count} golden inputs, ${drifted.length} drifted, largest difference ${largestDifference}`);
  await run.close();
}
await runtime.close();
