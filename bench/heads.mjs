// Heads on MobileNetV2 features of hymenoptera: everything chosen on train alone, accuracy, log loss and ECE on val.
// Full train, then 8, 16 and 64 rows a class, ten draws each.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  accuracy,
  chooseHead,
  expectedCalibrationError,
  extractFeatures,
  headCandidates,
  imagePreprocessor,
  logLoss,
  mostProbable,
  ortRuntime,
  prune,
  random,
  readModel,
  resolveBackbone,
  takeRows,
  writeModel,
} from "graft-ml";

const root = fileURLToPath(new URL("..", import.meta.url));
const data = process.env.GRAFT_DATA ?? join(root, "../shared/data");
const DRAWS = Number(process.env.GRAFT_DRAWS ?? 10);

/** @param {(line: string) => void} say */
export async function run(say) {
  const photos = join(data, "hymenoptera_256");
  const paths = readdirSync(photos, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".jpg"))
    .sort();
  const features = await featuresOf(paths.map((path) => join(photos, path)));
  const labels = Int32Array.from(paths, (path) => (path.includes("bees") ? 1 : 0));
  const numbers = (part) => [...paths.keys()].filter((i) => paths[i].startsWith(part));
  const train = numbers("train");
  const val = numbers("val");
  const test = { features: takeRows(features, val), labels: Int32Array.from(val, (i) => labels[i]) };
  const given = (rows) => ({
    features: takeRows(features, rows),
    labels: Int32Array.from(rows, (i) => labels[i]),
  });
  const rows = [];
  const report = (what, draws) => {
    const mean = (k) => draws.reduce((sum, scores) => sum + scores[k], 0) / draws.length;
    const own = draws.map(([right]) => Number(right.toFixed(4)));
    rows.push({
      what,
      accuracy: Number(mean(0).toFixed(4)),
      logLoss: Number(mean(1).toFixed(4)),
      ece: Number(mean(2).toFixed(4)),
      spread: [Math.min(...own), Math.max(...own)],
    });
    say(`${what}: ${shown([mean(0), mean(1), mean(2)])}`);
  };
  say(`train ${train.length}, val ${val.length}`);

  const full = given(train);
  for (const { name, head } of headCandidates()) {
    const begin = performance.now();
    const fitted = await head.fit(full.features, full.labels, {}, { classes: 2, random: random(0) });
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    const scores = scored(fitted.predict(test.features), test.labels);
    say(`${name}: ${Math.round(scores[0] * val.length)}/${val.length} in ${seconds} s`);
    report(`${name}, all rows`, [scores]);
  }
  const begin = performance.now();
  const context = { classes: 2, random: random(0) };
  const chosen = await chooseHead(full.features, full.labels, context, { estimateFolds: 0 });
  const scores = scored(chosen.classifier.predict(test.features), test.labels);
  report(`auto (${chosen.name}), all rows`, [scores]);
  say(`${((performance.now() - begin) / 1000).toFixed(1)} s: ${chosen.reason}`);
  for (const c of chosen.candidates)
    say(
      `  ${c.name} log loss ${c.logLoss.toFixed(4)} accuracy ${c.accuracy.toFixed(4)} behind ${c.behind.map((v) => v.toFixed(4))}`,
    );

  for (const count of [8, 16, 64])
    for (const { name, head } of headCandidates()) {
      const draws = [];
      for (let seed = 0; seed < DRAWS; seed++) {
        const order = random(seed).permutation(train.length);
        const drawn = [0, 1].flatMap((c) =>
          Array.from(order, (k) => train[k])
            .filter((i) => labels[i] === c)
            .slice(0, count),
        );
        const part = given(drawn);
        const own = { classes: 2, random: random(seed) };
        const fitted = await head.fit(part.features, part.labels, {}, own);
        draws.push(scored(fitted.predict(test.features), test.labels));
      }
      report(`${name}, ${count} rows a class`, draws);
    }
  return rows;
}

function scored(p, labels) {
  return [accuracy(mostProbable(p), labels), logLoss(p, labels), expectedCalibrationError(p, labels)];
}

function shown([right, loss, ece]) {
  return `accuracy ${right.toFixed(4)} log loss ${loss.toFixed(4)} ECE ${ece.toFixed(4)}`;
}

async function featuresOf(paths) {
  const backbone = await resolveBackbone(join(data, "models/mobilenet_v2_1.0_224"));
  const model = readModel(backbone.model, { source: backbone.path });
  model.graph.outputs = model.graph.outputs.filter(({ name }) => name === "features");
  model.graph = prune(model.graph);
  const runtime = await ortRuntime({ spinning: false });
  const extracted = await extractFeatures({
    rows: paths.map((path) => ({
      where: path,
      input: { kind: "image", path },
      label: null,
      split: null,
      group: null,
      weight: 1,
    })),
    model: writeModel(model),
    preprocessor: imagePreprocessor({ config: backbone.preprocessorConfig, input: backbone.imageInput }),
    runtime,
    modelHash: backbone.sha256,
    layer: "features",
    cache: null,
    batchSize: 8,
  });
  const features = await extracted.matrix();
  await extracted.close();
  await runtime.close();
  return features;
}
