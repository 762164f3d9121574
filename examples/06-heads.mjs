// Heads compared on the same features by cross-validation, with intervals; everything is learnt anew in each fold.
import { fileURLToPath } from "node:url";
import {
  fitTfidf,
  heads,
  ortRuntime,
  random,
  readDataset,
  repeatedKFold,
  repeatedScores,
  takeFeatures,
} from "graft-ml";

const { rows, classes } = await readDataset(fileURLToPath(new URL("support/messages.csv", import.meta.url)));
const texts = rows.map(({ input }) => input.text);
const labels = Int32Array.from(rows, ({ label }) => classes.indexOf(label));
const folds = repeatedKFold(rows, { folds: 5, repeats: 1, seed: 0 });
const runtime = await ortRuntime();

// The terms too are learnt from the training part of a fold alone.
const parts = folds.map(({ train, test }) => {
  const tfidf = fitTfidf(Array.from(train, (i) => texts[i]));
  const features = tfidf.transform(texts);
  return { train: takeFeatures(features, train), test: takeFeatures(features, test) };
});

for (const name of ["centroid", "ridge", "logistic"]) {
  const heldOut = [];
  for (const [k, { train, test }] of folds.entries()) {
    const context = { classes: classes.length, random: random(k), runtime };
    const known = train.map((i) => labels[i]);
    const fitted = await heads[name].fit(parts[k].train, known, {}, context);
    heldOut.push({ rows: test, probabilities: fitted.predict(parts[k].test) });
  }
  const { accuracy, logLoss } = repeatedScores(heldOut, labels, classes.length, 5);
  const of = ({ mean, interval }) => `${mean.toFixed(3)} [${interval.map((x) => x.toFixed(3)).join(", ")}]`;
  console.log(`${name}: accuracy ${of(accuracy)}, log loss ${of(logLoss)}`);
}
await runtime.close();
