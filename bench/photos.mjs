// Photos of ants and bees (hymenoptera): the official split, 10 × 10 folds over all rows against scikit-learn
// with the corrected resampled t-test, and 8 labels a class. Scores are shares of errors, so that a ratio
// below 1 is better.
import { accuracy, correctedResampledT, mostProbable, random, stratifiedFolds } from "graft-ml";
import { photoFeatures } from "./photo-features.mjs";
import { drawShots, mean, ourProbabilities, peerProbabilities, rounded } from "./photos-tasks.mjs";

// GRAFT_SETS="MobileNetV2, cropped" and GRAFT_REPEATS=3 choose some of it.
const REPEATS = Number(process.env.GRAFT_REPEATS ?? 10);
const FOLDS = 10;
const DRAWS = 10;
const SHOTS = 8;
const SETS = [
  ["MobileNetV2, cropped", { framing: "crop" }],
  ["MobileNetV2, as stated", {}],
  ["MobileNetV1-0.75, cropped", { network: "mobilenet_v1_0.75_224", framing: "crop" }],
  ["MobileNetV1-0.75, as stated", { network: "mobilenet_v1_0.75_224" }],
  ["raw pixels", { network: "none" }],
];

/** @param {(line: string) => void} say */
export async function run(say) {
  const rows = [];
  for (const [name, options] of SETS) {
    if (!name.includes(process.env.GRAFT_SETS ?? "")) continue;
    const set = await photoFeatures({ set: "hymenoptera_256", ...options });
    const all = [...set.labels.keys()];
    const train = all.filter((i) => set.isTrain[i]);
    const test = all.filter((i) => !set.isTrain[i]);
    const compare = async (what, tasks, note) => {
      const ours = accuracies(set, tasks, await ourProbabilities(set, tasks));
      const peer = accuracies(set, tasks, await peerProbabilities(set, tasks));
      rows.push(rowOf(`${name}, ${what}`, ours, peer, note?.(ours, peer)));
      say(JSON.stringify(rows.at(-1)));
    };
    const right = ([ours], [peer]) => ({
      right: `${Math.round(ours * test.length)} and ${Math.round(peer * test.length)} of ${test.length}`,
    });
    await compare("official split", [{ train, test }], right);
    if (options.network === "none") continue;
    const draws = Array.from({ length: DRAWS }, (_, draw) => ({
      train: drawShots(train, set.labels, SHOTS, random(draw).fork(`${SHOTS}`)),
      test,
    }));
    await compare(`${SHOTS} a class, ${DRAWS} draws`, draws);
    if (options.network === undefined) await compare(`${REPEATS} × ${FOLDS} folds`, foldsOf(set), paired);
  }
  return rows;
}

/** Every repeat's folds as tasks: each class spread evenly, the same for both sides. */
function foldsOf({ labels, classes }) {
  return Array.from({ length: REPEATS }, (_, repeat) => {
    const fold = stratifiedFolds(labels, classes.length, { folds: FOLDS, random: random(repeat) });
    const rows = [...labels.keys()];
    return Array.from({ length: FOLDS }, (_, f) => ({
      train: rows.filter((i) => fold[i] !== f),
      test: rows.filter((i) => fold[i] === f),
    }));
  }).flat();
}

function paired(ours, peer) {
  const differences = ours.map((own, k) => own - peer[k]);
  const sizes = { trainRows: FOLDS - 1, testRows: 1 };
  const { difference, interval, pValue } = correctedResampledT(differences, sizes);
  return {
    difference: rounded(difference),
    interval: interval.map((end) => rounded(end)),
    p: rounded(pValue, 3),
  };
}

function rowOf(name, ours, peer, more = {}) {
  const [own, other] = [1 - mean(ours), 1 - mean(peer)];
  return {
    case: name,
    ours: rounded(own),
    peer: rounded(other),
    peerName: "scikit-learn LogisticRegressionCV",
    unit: "share of errors",
    ratio: rounded(own / other, 3),
    spread: [rounded(1 - Math.max(...ours)), rounded(1 - Math.min(...ours))],
    accuracy: rounded(1 - own),
    peerAccuracy: rounded(1 - other),
    ...more,
  };
}

function accuracies({ labels }, tasks, probabilities) {
  return tasks.map(({ test }, at) =>
    accuracy(
      mostProbable(probabilities[at]),
      test.map((i) => labels[i]),
    ),
  );
}
