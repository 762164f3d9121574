// Photos to features with MobileNetV2 and a network of ResNet-18's size at 224: Graft, a script of PyTorch
// and Pillow, and what bare sharp and bare ONNX Runtime need one after the other, each with both cores. In
// turn, so that other work on the machine meets all of them.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
import { pythonPeer } from "./python-peer.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const data = process.env.GRAFT_DATA ?? join(root, "../shared/data");
/** Images a run of the network, the default of an extraction. */
const BATCH = 2;
/** The peer's forms and sizes of a batch. */
const USUAL = ["eager 8", "scripted 8"];
const SMALL = ["scripted 1"];
/** Threads of the side that has just run may wait in a loop for a while; the other would be measured against them. */
const idle = () => new Promise((resolve) => setTimeout(resolve, 300));

/** @param {(line: string) => void} say */
export async function run(say) {
  const all = readdirSync(join(data, "hymenoptera_256"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".jpg"))
    .sort()
    .map((path) => join(data, "hymenoptera_256", path));
  const backbone = await resolveBackbone(join(data, "models/mobilenet_v2_1.0_224"));
  const model = readModel(backbone.model, { source: backbone.path });
  model.graph.outputs = model.graph.outputs.filter(({ name }) => name === "features");
  model.graph = prune(model.graph);
  const some = (every) => all.filter((_, i) => i % every === 0);
  const mobile = { name: "MobileNetV2 224", trunk: writeModel(model), input: backbone.imageInput };
  const { preprocessorConfig: config } = backbone;
  const resnet = { name: "ResNet-18 224", trunk: null, input: { ...mobile.input, name: "input" } };
  return [
    ...(await compare({ ...mobile, config, paths: some(2), rounds: 4 }, say)),
    ...(await compare({ ...resnet, config, paths: some(6), rounds: 3 }, say)),
  ];
}

/** One network on the photos of `paths`: Graft, both forms of the peer, and the bare parts, in turn. */
async function compare({ name, trunk, input, config, paths, rounds }, say) {
  const folder = await mkdtemp(join(tmpdir(), "graft-bench-"));
  if (trunk !== null) writeFileSync(join(folder, "trunk.onnx"), trunk);
  writeFileSync(join(folder, "paths.json"), JSON.stringify(paths));
  const peer = pythonPeer("extract-peer.py", folder);
  say(`${name}: ${paths.length} photos, PyTorch ${(await peer.next()).version}`);
  const model = trunk ?? readFileSync(join(folder, "trunk.onnx"));
  const runtime = await ortRuntime({ throughput: true });
  const preprocessor = imagePreprocessor({ config, input });
  const rows = paths.map((path) => ({
    ...{ where: path, input: { kind: "image", path } },
    ...{ label: null, split: null, group: null, weight: 1 },
  }));
  let features;
  const ours = async () => {
    const begin = performance.now();
    const extracted = await extractFeatures({
      ...{ rows, model, preprocessor, runtime, batchSize: BATCH },
      ...{ modelHash: name, layer: "features", cache: null },
    });
    features = await extracted.matrix();
    await extracted.close();
    return (performance.now() - begin) / 1000;
  };
  const bare = {
    "two threads": await ort.InferenceSession.create(model, { intraOpNumThreads: 2 }),
    "two lanes": await runtime.load(model),
  };
  const modes = [...USUAL, ...SMALL];
  const times = {};
  for (let round = -1; round < rounds; round++) {
    const once = { ours: await ours() };
    await idle();
    const decoding = await decodeAll(paths);
    for (const [form, session] of Object.entries(bare)) {
      once[form] = decoding + (await runAll(session, form === "two lanes", input.name, paths.length));
      await idle();
    }
    for (const mode of modes) once[mode] = (await peer.ask(mode)).seconds;
    await idle();
    const line = Object.entries(once).map(([side, seconds]) => `${side} ${seconds.toFixed(2)} s`);
    say(line.join("  "));
    if (round >= 0) for (const [side, seconds] of Object.entries(once)) (times[side] ??= []).push(seconds);
  }
  const difference = largestDifference(features.data, readFileSync(join(folder, "features.f32")));
  say(`largest difference of a feature from PyTorch's: ${difference.toExponential(1)}`);
  peer.stop();
  await runtime.close();
  await rm(folder, { recursive: true });
  const fastest = (sides) => sides.reduce((a, b) => (median(times[a]) <= median(times[b]) ? a : b));
  const [mode, form, any] = [fastest(USUAL), fastest(Object.keys(bare)), fastest(modes)];
  const row = (what, side, label) => rowOf(`${name}, ${what}`, times.ours, times[side], label, paths.length);
  return [
    row("photos to features", mode, `PyTorch ${mode} + Pillow`),
    row("against the peer's best batch", any, `PyTorch ${any} + Pillow`),
    row("against the parts alone", form, `bare sharp, then bare ONNX Runtime, ${form}`),
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

/**
 * Seconds in which ONNX Runtime alone runs as many images, already tensors; `isOurs` is a session of Graft's
 * runtime.
 */
async function runAll(session, isOurs, name, count) {
  const shape = [BATCH, 3, 224, 224];
  const values = new Float32Array(BATCH * 3 * 224 * 224).fill(0.1);
  const feeds = isOurs
    ? { [name]: { dtype: "float32", shape, data: values } }
    : { [name]: new ort.Tensor("float32", values, shape) };
  const begin = performance.now();
  let next = 0;
  const lane = async () => {
    while (next < count) {
      next += BATCH;
      await session.run(feeds);
    }
  };
  await Promise.all(Array.from({ length: isOurs ? 4 : 1 }, lane));
  return (performance.now() - begin) / 1000;
}

function largestDifference(ours, bytes) {
  const theirs = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  if (theirs.length !== ours.length) throw new Error(`${ours.length} numbers against ${theirs.length}`);
  return ours.reduce((largest, value, i) => Math.max(largest, Math.abs(value - theirs[i])), 0);
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const round = (value) => Number(value.toPrecision(3));
