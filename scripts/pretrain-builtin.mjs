// The recipe of a small image backbone that ships inside a package: CIFAR-10, strong augmentation, at most 3 MB.
//
//   node scripts/pretrain-builtin.mjs DATA OUTPUT [--package FOLDER] [--steps-only]
//
// DATA is a folder of CIFAR-10's 50 000 training images as class folders (train/airplane/0000.jpg …), with
// test/ beside train/ for the official score; see docs/pretraining.md. OUTPUT becomes a RUN, to be used as
// run:OUTPUT. All of it takes an hour or two; killed, the same call goes on where it was. --steps-only trains
// on 32 images a class for one epoch: it shows that the recipe runs, and its network is of no use.
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cutAt, readModel, writeModel } from "@graft-ml/core";
import { pretrainRun, readDataset } from "graft-ml";

const MOST_BYTES = 3 * 2 ** 20;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "steps-only": { type: "boolean", default: false }, package: { type: "string" } },
});
const [data, output] = positionals;
if (data === undefined || output === undefined) {
  console.error("usage: node scripts/pretrain-builtin.mjs DATA OUTPUT [--package FOLDER] [--steps-only]");
  process.exit(2);
}
const isShort = values["steps-only"];
const whole = await readDataset(data);
const dataset = isShort ? { ...whole, rows: some(whole.rows) } : whole;

// Small images first: a convolution costs with their area. The second stage takes them at full size and
// halves their side in its first convolution, so that everything above sees the scale it was trained at and
// starts from the weights of the first stage (progressive resizing: Howard 2018,
// https://www.fast.ai/posts/2018-04-30-dawnbench-fastai.html).
const STAGES = [
  { size: 16, stride: 1, epochs: 10, learningRate: 3e-3 },
  { size: 32, stride: 2, epochs: 4, learningRate: 2e-3 },
];
let init = null;
let metrics;
for (const { size, stride, epochs, learningRate } of STAGES) {
  const isLast = size === STAGES.at(-1).size;
  const folder = isLast ? output : `${output}-${size}`;
  if (isFinished(folder)) {
    init = folder;
    continue;
  }
  console.error(`images of ${size} × ${size}, ${epochs} epochs, into ${folder}`);
  ({ metrics } = await pretrainRun(dataset, {
    output: folder,
    architecture: { name: "resnet-small", settings: { size, stride, width: 32, stages: 3, depth: 1 }, init },
    objective: "supervised",
    settings: {
      epochs: isShort ? 1 : epochs,
      batchSize: isShort ? 32 : 128,
      learningRate,
      weightDecay: 0.05,
      warmup: 0.1,
      // Strong: random crops, mirrored, one operation of RandAugment, colours, a square cut out.
      flip: true,
      crop: 0.5,
      operations: 1,
      colour: 0.2,
      cutout: 0.25,
    },
    seed: 0,
    threads: 1,
    // Logistic regression on the pixels of 50 000 images would take longer than it is worth here.
    baselines: false,
    command: `node scripts/pretrain-builtin.mjs ${positionals.join(" ")}`,
    onProgress: progress(),
  }));
  init = folder;
}
metrics ??= JSON.parse(readFileSync(join(output, "metrics.json"), "utf8"));

console.log(`\naccuracy on ${metrics.test.n} test images: ${(100 * metrics.test.accuracy).toFixed(2)} %`);

// What ships is the network below its head, as the hub lays a model out.
const { layer } = JSON.parse(readFileSync(join(output, "config.json"), "utf8"));
const bytes = writeModel(cutAt(readModel(readFileSync(join(output, "model.onnx"))), layer));
console.log(`without its head: ${bytes.length} bytes`);
if (bytes.length > MOST_BYTES) {
  console.error(`that is more than the ${MOST_BYTES} bytes a package may carry; take a narrower network`);
  process.exit(1);
}
if (values.package !== undefined) {
  mkdirSync(values.package, { recursive: true });
  writeFileSync(join(values.package, "model.onnx"), bytes);
  copyFileSync(join(output, "preprocessor_config.json"), join(values.package, "preprocessor_config.json"));
  writeFileSync(
    join(values.package, "README.md"),
    `---
license: apache-2.0
---

A small residual network (He et al. 2016) for images of 32 × 32, trained on the 50 000 training images of CIFAR-10
by scripts/pretrain-builtin.mjs; with its head it names ${(100 * metrics.test.accuracy).toFixed(2)} % of the ${metrics.test.n} test images rightly.
`,
  );
}

/** A RUN has its metrics.json last of all. */
function isFinished(folder) {
  return existsSync(join(folder, "metrics.json"));
}

/** 32 training and 10 test images of each class. */
function some(rows) {
  const counts = new Map();
  return rows.filter(({ label, split }) => {
    const part = `${split} ${label}`;
    counts.set(part, (counts.get(part) ?? 0) + 1);
    return counts.get(part) <= (split === "test" ? 10 : 32);
  });
}

function progress() {
  let last = 0;
  return (task, done, total) => {
    if (performance.now() - last < 5000 && done < total) return;
    last = performance.now();
    console.error(`${task} ${done}/${total}`);
  };
}
