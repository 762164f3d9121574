// Milliseconds of a training step (forward, backward, AdamW), Graft against PyTorch on the CPU, in turn,
// after both agree on loss and gradients: `npm run bench -- train-step`. Needs a Python with torch,
// torchvision, transformers and onnx (PYTHON, default .venv/bin/python). THREADS (2): with 1 the processor
// time of each side is compared, which other programs disturb less. CASES: some of the names below, by
// commas. Each case runs in processes of its own, so that peak memory is its own too.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const threads = Number(process.env.THREADS ?? 2);
const rounds = Number(process.env.ROUNDS ?? 5);
const steps = Number(process.env.STEPS ?? 3);
const python = process.env.PYTHON ?? fileURLToPath(new URL("../.venv/bin/python", import.meta.url));
const cases = {
  minilm: "encoder 6×384, sequence 128, batch 16",
  "minilm-frozen": "the same, embeddings and lower 4 layers frozen",
  "bert-mini": "encoder 4×256, sequence 64, batch 32",
  resnet18: "ResNet-18 at 128, batch 16, full",
  "resnet18-last": "ResNet-18 at 128, batch 16, last block",
  mobilenetv2: "MobileNetV2 at 128, batch 16, full",
  "mobilenetv2-last": "MobileNetV2 at 128, batch 16, last block",
  mlp: "MLP 512-256-10, batch 64",
};
const side = fileURLToPath(new URL("train-step-side.mjs", import.meta.url));
/** Threads of the side that has just run wait in a loop for a while; the other would be measured against them. */
const idle = () => new Promise((resolve) => setTimeout(resolve, 300));
const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** The rows of the table. */
export async function run(log = () => {}) {
  const chosen = process.env.CASES?.split(",") ?? Object.keys(cases);
  const rows = [];
  for (const name of chosen) rows.push(...(await compare(name, log)));
  return rows;
}

async function compare(name, log) {
  const folder = mkdtempSync(join(tmpdir(), "train-step-"));
  const peer = start(python, [fileURLToPath(new URL("train-step.py", import.meta.url)), `${threads}`]);
  const sides = [];
  try {
    const made = await peer.ask({ make: name, folder });
    const expected = await peer.ask({ check: name });
    const isImage = made.dtype === "float32" && made.shape.length === 4;
    for (const layout of isImage ? ["blocked", "plain"] : ["plain"]) {
      const one = start(process.execPath, [side, `${threads}`, layout]);
      const { loss, gradients, block } = await one.ask({ make: made });
      const distance = compareGradients(gradients, readFileSync(expected.gradients), loss, expected.loss);
      sides.push({ one, block, layout, distance, walls: [], ratios: [], peak: 0 });
    }
    const peerTimes = [];
    let peerPeak = 0;
    await peer.ask({ run: name, steps: 1 });
    for (let round = 0; round < rounds; round++) {
      await idle();
      const theirs = await peer.ask({ run: name, steps });
      const measured = threads === 1 ? "work" : "wall";
      peerTimes.push(theirs[measured]);
      peerPeak = theirs.peak;
      for (const mine of sides) {
        await idle();
        const ours = await mine.one.ask({ steps });
        mine.walls.push(ours[measured]);
        mine.ratios.push(ours[measured] / theirs[measured]);
        mine.peak = ours.peak;
      }
    }
    return sides.map(({ block, layout, distance, walls, ratios, peak }) => {
      ratios.sort((a, b) => a - b);
      const row = {
        case: `${cases[name]}${layout === "blocked" ? `, blocks of ${block}` : ""}`,
        ours: middle(walls),
        peer: middle(peerTimes),
        peerName: "PyTorch",
        unit: threads === 1 ? "ms of processor time" : "ms",
        ratio: middle(ratios),
        spread: [ratios[0], ratios.at(-1)],
        memory: peak / peerPeak,
        gradients: distance,
      };
      log(
        `${row.case}: ${row.ours.toFixed(1)} / ${row.peer.toFixed(1)} = ${row.ratio.toFixed(2)} (${row.spread.map((r) => r.toFixed(2)).join(" – ")}), memory ${peak.toFixed()} / ${peerPeak.toFixed()} MB, gradients ${distance.toExponential(1)}`,
      );
      return row;
    });
  } finally {
    peer.stop();
    for (const { one } of sides) one.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The greatest distance of a parameter's gradient from the peer's, relative to its length. */
function compareGradients(names, bytes, loss, expected) {
  if (!(Math.abs(loss - expected) < 1e-4 * Math.abs(expected)))
    throw new Error(`loss ${loss}, the peer's ${expected}`);
  const mine = readFileSync(names);
  if (mine.length !== bytes.length) throw new Error("the gradients are of other parameters than the peer's");
  const view = (buffer) =>
    new Float32Array(buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length));
  const [a, b] = [view(mine), view(bytes)];
  let [difference, length] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    length += b[i] ** 2;
  }
  const distance = Math.sqrt(difference / length);
  if (!(distance < 5e-3)) throw new Error(`the gradients differ by ${distance} of their length`);
  return distance;
}

function start(command, args) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(question) {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const { value, done } = await answers.next();
      if (done) throw new Error(`${command} ${args[0]} ended`);
      return JSON.parse(value);
    },
    stop: () => child.stdin.end(),
  };
}
