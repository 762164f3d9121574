// Log loss and expected calibration error at few labels a class, none of them held out, against
// scikit-learn's logistic regression with its strength by cross-validation: the same features, draws and test
// rows. GRAFT_HEAD names another head, GRAFT_SETS=hymenoptera some of the sets.
import { accuracy, expectedCalibrationError, heads, logLoss, mostProbable, random } from "graft-ml";
import { photoFeatures } from "./photo-features.mjs";
import { drawShots, mean, ourProbabilities, peerProbabilities, rounded } from "./photos-tasks.mjs";

const DRAWS = Number(process.env.GRAFT_DRAWS ?? 10);
const SHOTS = [8, 16, 64];
const head = heads[process.env.GRAFT_HEAD ?? "logistic"];

/** @param {(line: string) => void} say */
export async function run(say) {
  const rows = [];
  for (const [name, options, isPooled] of [
    ["hymenoptera, cropped", { set: "hymenoptera_256", framing: "crop" }, false],
    ["hymenoptera, as stated", { set: "hymenoptera_256" }, false],
    // 60 training rows a class are too few for 64: of the 100 a class all that are not drawn test.
    ["PACS photo", { set: "pacs_160_subset/photo" }, true],
  ]) {
    if (!name.includes(process.env.GRAFT_SETS ?? "")) continue;
    const set = await photoFeatures(options);
    const { labels } = set;
    const all = [...labels.keys()];
    const pool = isPooled ? all : all.filter((i) => set.isTrain[i]);
    const rest = isPooled ? null : all.filter((i) => !set.isTrain[i]);
    for (const shots of SHOTS) {
      const tasks = Array.from({ length: DRAWS }, (_, draw) => {
        const train = drawShots(pool, labels, shots, random(draw).fork(`${shots}`));
        const drawn = new Set(train);
        return { train, test: rest ?? pool.filter((i) => !drawn.has(i)) };
      });
      const ours = scoresOf(set, tasks, await ourProbabilities(set, tasks, head));
      const peer = scoresOf(set, tasks, await peerProbabilities(set, tasks));
      const ratios = ours.map(({ loss }, draw) => loss / peer[draw].loss).sort((a, b) => a - b);
      const of = (scores, key) => mean(scores.map((one) => one[key]));
      rows.push({
        case: `${name}, ${shots} a class`,
        ours: rounded(of(ours, "loss")),
        peer: rounded(of(peer, "loss")),
        peerName: "scikit-learn LogisticRegressionCV",
        unit: "nats",
        ratio: rounded(of(ours, "loss") / of(peer, "loss"), 3),
        spread: [rounded(ratios[0], 3), rounded(ratios.at(-1), 3)],
        ece: rounded(of(ours, "ece")),
        peerEce: rounded(of(peer, "ece")),
        accuracy: rounded(of(ours, "accuracy")),
        peerAccuracy: rounded(of(peer, "accuracy")),
      });
      say(JSON.stringify(rows.at(-1)));
    }
  }
  return rows;
}

function scoresOf({ labels }, tasks, probabilities) {
  return tasks.map(({ test }, at) => {
    const truth = Int32Array.from(test, (i) => labels[i]);
    const p = probabilities[at];
    return {
      loss: logLoss(p, truth),
      ece: expectedCalibrationError(p, truth),
      accuracy: accuracy(mostProbable(p), truth),
    };
  });
}
