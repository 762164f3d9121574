// Epochs on a frozen part that is kept, against the first, which computes it: MobileNetV2 at 224, the head,
// or the last blocks with it, trained on 64 photos. `npm run bench -- frozen`; needs ../shared/data.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as graft from "../packages/node/dist/index.js";

const shared = fileURLToPath(new URL("../../shared/data/", import.meta.url));
const folder = `${shared}models/mobilenet_v2_1.0_224/`;
const photos = `${shared}hymenoptera_256/train/`;
const COUNT = 32;
const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** The rows of the table: ours is a later epoch, the peer the first. */
export async function run() {
  if (!existsSync(folder) || !existsSync(photos)) throw new Error(`frozen needs ${folder} and ${photos}`);
  const rows = ["ants", "bees"].flatMap((label) =>
    readdirSync(photos + label)
      .sort()
      .slice(0, COUNT)
      .map((name) => ({
        where: name,
        input: { kind: "image", path: `${photos}${label}/${name}` },
        label,
        split: null,
        group: null,
        weight: 1,
      })),
  );
  const preprocessor = graft.imagePreprocessor({
    config: JSON.parse(readFileSync(`${folder}preprocessor_config.json`, "utf8")),
    input: { name: "input", layout: "NCHW", channels: 3, height: 224, width: 224 },
  });
  const { model: trunk } = graft.featureModel(graft.readModel(readFileSync(`${folder}model.onnx`)));
  const runtime = await graft.ortRuntime({ threads: 2 });
  const results = [];
  for (const [name, depth] of [
    ["trunk frozen, head trained", 0],
    ["last convolution and head trained", 1],
    ["last block, last convolution and head trained", 2],
  ]) {
    let last = 0;
    let begin = 0;
    const epochs = [];
    await graft.fineTune({
      trunk,
      preprocessor,
      runtime,
      rows,
      classes: ["ants", "bees"],
      method: "lp-ft",
      settings: { depth, epochs: 6, learningRate: 1e-5 },
      onProgress(task) {
        if (task === "frozen part" && begin === 0) begin = performance.now();
      },
      onLog({ step }) {
        if (step !== "epoch" && step !== "frozen") return;
        const now = performance.now();
        if (step === "epoch") epochs.push(now - (epochs.length === 0 ? begin : last));
        last = now;
      },
    });
    const [first, ...later] = epochs;
    const ratios = later.map((one) => one / first).sort((a, b) => a - b);
    results.push({
      case: `MobileNetV2 224, ${name}`,
      ours: middle(later),
      peer: first,
      peerName: "first epoch",
      unit: "ms",
      ratio: middle(ratios),
      spread: [ratios[0], ratios.at(-1)],
    });
  }
  await runtime.close();
  return results;
}
