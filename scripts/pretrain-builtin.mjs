// The recipe of a small image backbone that ships inside a package: CIFAR-10, strong augmentation, at most 3 MB.
//
//   node scripts/pretrain-builtin.mjs DATA OUTPUT [--steps-only]
//
// DATA is a folder of CIFAR-10's 50 000 training images as class folders (train/airplane/0000.jpg …), with test/ beside
// train/ for the official score; see docs/pretraining.md. OUTPUT becomes a RUN, to be used as run:OUTPUT. All of it takes
// many hours on two cores; killed, the same call goes on where it was. --steps-only trains on 32 images a class for one
// epoch: it shows that the recipe runs, and its network is of no use.
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pretrainRun, readDataset } from "graft-ml";

const MOST_BYTES = 3 * 2 ** 20;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "steps-only": { type: "boolean", default: false } },
});
const [data, output] = positionals;
if (data === undefined || output === undefined) {
  console.error("usage: node scripts/pretrain-builtin.mjs DATA OUTPUT [--steps-only]");
  process.exit(2);
}
const isShort = values["steps-only"];
const whole = await readDataset(data);
const dataset = isShort ? { ...whole, rows: some(whole.rows) } : whole;

const { metrics } = await pretrainRun(dataset, {
  output,
  architecture: { name: "resnet-small", settings: { size: 32, width: 32, stages: 3, depth: 2 } },
  objective: "supervised",
  settings: {
    epochs: isShort ? 1 : 30,
    batchSize: isShort ? 32 : 128,
    learningRate: 3e-3,
    weightDecay: 0.05,
    warmup: 0.1,
    // Strong: random crops, mirrored, two operations of RandAugment, colours, a square cut out.
    flip: true,
    crop: 0.4,
    operations: 2,
    colour: 0.3,
    cutout: 0.25,
    ema: isShort ? 0 : 0.999,
  },
  seed: 0,
  // Logistic regression on the pixels of 50 000 images would take longer than it is worth here.
  baselines: false,
  command: `node scripts/pretrain-builtin.mjs ${positionals.join(" ")}`,
  onProgress: progress(),
});

const { size } = statSync(join(output, "model.onnx"));
console.log(`\naccuracy on ${metrics.test.n} test images: ${(100 * metrics.test.accuracy).toFixed(2)} %`);
console.log(`model.onnx: ${size} bytes`);
if (size > MOST_BYTES) {
  // Without metrics.json the folder does not pass for a finished run.
  rmSync(join(output, "metrics.json"));
  console.error(`that is more than the ${MOST_BYTES} bytes a package may carry; take a narrower network`);
  process.exit(1);
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
