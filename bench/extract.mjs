// Photos to features with MobileNetV2 at 224: Graft, a script of PyTorch and Pillow, and what bare sharp and bare ONNX
// Runtime need one after the other. In turn, so that other work on the machine meets all of them.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import {
  extractFeatures,
  imagePreprocessor,
  ortRuntime,
  prune,
  readModel,
  resolveBackbone,
  writeModel,
} from "graft-ml";
import ort from "onnxruntime-node";
import sharp from "sharp";

const root = fileURLToPath(new URL("..", import.meta.url));
const data = process.env.GRAFT_DATA ?? join(root, "../shared/data");
const python = process.env.GRAFT_PYTHON ?? join(root, ".venv/bin/python");
const ROUNDS = 5;
const BATCH = 8;

/** @param {(line: string) => void} say */
export async function run(say) {
  const photos = join(data, "hymenoptera_256");
  const paths = readdirSync(photos, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".jpg"))
    .sort()
    .map((path) => join(photos, path));
  const backbone = await resolveBackbone(join(data, "models/mobilenet_v2_1.0_224"));
  const model = readModel(backbone.model, { source: backbone.path });
  model.graph.outputs = model.graph.outputs.filter(({ name }) => name === "features");
  model.graph = prune(model.graph);
  const trunk = writeModel(model);
  const folder = await mkdtemp(join(tmpdir(), "graft-bench-"));
  writeFileSync(join(folder, "trunk.onnx"), trunk);
  writeFileSync(join(folder, "paths.json"), JSON.stringify(paths));
  const peer = startPeer(folder);
  say(`${paths.length} photos, PyTorch ${(await peer.next()).version}`);

  const runtime = await ortRuntime({ spinning: false });
  const preprocessor = imagePreprocessor({ config: backbone.preprocessorConfig, input: backbone.imageInput });
  const rows = paths.map((path) => ({
    where: path,
    input: { kind: "image", path },
    label: null,
    split: null,
    group: null,
    weight: 1,
  }));
  let features;
  const ours = async () => {
    const begin = performance.now();
    const extracted = await extractFeatures({
      rows,
      model: trunk,
      preprocessor,
      runtime,
      modelHash: backbone.sha256,
      layer: "features",
      cache: null,
      batchSize: BATCH,
    });
    features = await extracted.matrix();
    await extracted.close();
    return (performance.now() - begin) / 1000;
  };
  const session = await ort.InferenceSession.create(trunk);
  const bare = async () =>
    (await decodeAll(paths)) + (await runAll(session, backbone.imageInput.name, paths.length));
  const theirs = async (mode) => (await peer.ask(mode)).seconds;

  const modes = ["eager", "scripted"];
  const times = { ours: [], bare: [], eager: [], scripted: [] };
  for (let round = -1; round < ROUNDS; round++) {
    const once = { ours: await ours(), bare: await bare() };
    for (const mode of modes) once[mode] = await theirs(mode);
    say(
      Object.entries(once)
        .map(([name, seconds]) => `${name} ${seconds.toFixed(2)} s`)
        .join("  "),
    );
    if (round >= 0) for (const [name, seconds] of Object.entries(once)) times[name].push(seconds);
  }
  const difference = largestDifference(features.data, readFileSync(join(folder, "features.f32")));
  say(`largest difference of a feature from PyTorch's: ${difference.toExponential(1)}`);
  peer.stop();
  await runtime.close();
  await rm(folder, { recursive: true });
  const fastest = modes.reduce((a, b) => (median(times[a]) <= median(times[b]) ? a : b));
  return [
    rowOf(
      "MobileNetV2 224, photos to features",
      times.ours,
      times[fastest],
      `PyTorch ${fastest} + Pillow`,
      paths.length,
    ),
    rowOf(
      "MobileNetV2 224, against the parts alone",
      times.ours,
      times.bare,
      "bare sharp, then bare ONNX Runtime",
      paths.length,
    ),
  ];
}

/** Throughputs, and the ratio of the peer's to ours: below 1 ours is faster. */
function rowOf(name, ours, peer, peerName, count) {
  const ratios = ours.map((seconds, i) => seconds / peer[i]).sort((a, b) => a - b);
  return {
    case: name,
    ours: round(count / median(ours)),
    peer: round(count / median(peer)),
    peerName,
    unit: "images/s",
    ratio: round(median(ratios)),
    spread: [round(ratios[0]), round(ratios.at(-1))],
  };
}

/** Seconds in which sharp alone decodes and resizes all photos. */
async function decodeAll(paths) {
  sharp.concurrency(1);
  const begin = performance.now();
  let next = 0;
  const lane = async () => {
    while (next < paths.length) {
      const image = sharp(paths[next++]).resize(224, 224, { fit: "fill", kernel: "linear" }).removeAlpha();
      await image.raw().toBuffer();
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  return (performance.now() - begin) / 1000;
}

/** Seconds in which ONNX Runtime alone runs as many images, already tensors. */
async function runAll(session, name, count) {
  const pixels = new ort.Tensor("float32", new Float32Array(BATCH * 3 * 224 * 224).fill(0.1), [
    BATCH,
    3,
    224,
    224,
  ]);
  const begin = performance.now();
  for (let i = 0; i < count; i += BATCH) await session.run({ [name]: pixels });
  return (performance.now() - begin) / 1000;
}

/** The script of the peer, which waits for the name of a mode and answers with seconds. */
function startPeer(folder) {
  const child = spawn(python, [join(root, "bench/extract-peer.py"), folder], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value);
  return {
    next,
    async ask(mode) {
      child.stdin.write(`${mode}\n`);
      return await next();
    },
    stop: () => child.stdin.end(),
  };
}

function largestDifference(ours, bytes) {
  const theirs = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  if (theirs.length !== ours.length) throw new Error(`${ours.length} numbers against ${theirs.length}`);
  return ours.reduce((largest, value, i) => Math.max(largest, Math.abs(value - theirs[i])), 0);
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const round = (value) => Number(value.toPrecision(3));
