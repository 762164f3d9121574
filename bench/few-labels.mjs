// Few labels: the mean over TREC-6, SUBJ, MR and SST-2 of the accuracy with 16 and 64 labels a class, of
// builtin:text (words.mean) under our logistic head and, on the same rows in Python, TF-IDF of words and
// characters and averaged GloVe-50 under scikit-learn's LogisticRegressionCV. Strengths by cross-validation
// of the training rows on log loss. Official test parts, or 2000 rows held out. Intervals are Student's over
// the draws of training rows, paired. GRAFT_DRAWS=10, GRAFT_SHOTS=16,64, GRAFT_SPEED=0 leaves the speed out,
// GRAFT_DRAWS=0 the table.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { heads, openRun, openSource, ortRuntime, random, takeFeatures, trainRun } from "graft-ml";
import { python } from "./python-peer.mjs";
import { data, linesOf, sstRows, trecRows } from "./text-sets.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const DRAWS = Number(process.env.GRAFT_DRAWS ?? 10);
const SHOTS = (process.env.GRAFT_SHOTS ?? "16,64").split(",").map(Number);
const HELD_OUT = 2000;
/** Student's t, 97.5 %, for 1 … 9 degrees of freedom. */
const STUDENT = [12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26];
const PEERS = { tfidf: "TF-IDF, scikit-learn", glove: "averaged GloVe-50, scikit-learn" };

/** @param {(line: string) => void} say */
export async function run(say) {
  const sets = [trec(), subj(), mr(), sst()];
  if (DRAWS === 0) return [await speed(sets[0], await ortRuntime({ threads: 1, spinning: false }), say)];
  const draws = SHOTS.flatMap((shots) =>
    Array.from({ length: DRAWS }, (_, draw) =>
      sets.map(({ name, train, labels }) => ({ name, shots, draw, rows: drawn(train, labels, shots, draw) })),
    ),
  ).flat();
  const theirs = await peers(sets, draws);
  const runtime = await ortRuntime({ threads: 1, spinning: false });
  const rows = [];
  const ours = [];
  for (const set of sets) ours.push(...(await scored(set, draws, runtime)));
  for (const shots of SHOTS) {
    const of = (values, name) =>
      Array.from({ length: DRAWS }, (_, draw) =>
        mean(
          draws.flatMap((one, i) =>
            one.shots === shots && one.draw === draw && (name === null || one.name === name)
              ? [values(one, i)]
              : [],
          ),
        ),
      );
    const own = (one) => ours.find((found) => found.key === keyOf(one)).accuracy;
    for (const name of [null, ...sets.map((set) => set.name)]) {
      for (const peer of Object.keys(PEERS)) {
        const [a, b] = [of(own, name), of((_, i) => theirs[i][peer], name)];
        const gains = a.map((value, draw) => value - b[draw]);
        const half = (STUDENT[DRAWS - 2] * deviation(gains)) / Math.sqrt(DRAWS);
        const gain = mean(gains);
        say(
          `${name ?? "mean of the four"}, ${shots} labels a class: ours ${percent(mean(a))} ± ${percent(deviation(a))}, ${PEERS[peer]} ${percent(mean(b))}; gain ${percent(gain)} (${percent(gain - half)} to ${percent(gain + half)})`,
        );
        const error = 1 - mean(b);
        rows.push({
          case: `${name ?? "mean of the four"}, ${shots} labels a class, error`,
          ours: round(1 - mean(a)),
          peer: round(error),
          peerName: PEERS[peer],
          unit: "share",
          ratio: round((1 - mean(a)) / error),
          spread: [round((error - gain - half) / error), round((error - gain + half) / error)],
        });
      }
    }
  }
  if (process.env.GRAFT_SPEED !== "0") rows.push(await speed(sets[0], runtime, say));
  await runtime.close();
  return rows;
}

async function scored({ name, texts, labels, train, test }, draws, runtime) {
  const rowOf = (i) => ({
    where: `row ${i}`,
    input: { kind: "text", text: texts[i] },
    label: String(labels[i]),
    split: null,
    group: null,
    weight: 1,
  });
  const training = train.map(rowOf);
  const source = await openSource("builtin:text", {
    modality: "text",
    runtime,
    training,
    layer: "words.mean",
  });
  const [known, asked] = [await source.features(training), await source.features(test.map(rowOf))];
  const places = new Map(train.map((i, place) => [i, place]));
  const classes = new Set(labels).size;
  const found = [];
  for (const one of draws.filter((each) => each.name === name)) {
    const fitted = await heads.logistic.fit(
      takeFeatures(
        known.features,
        Int32Array.from(one.rows, (i) => places.get(i)),
      ),
      Int32Array.from(one.rows, (i) => labels[i]),
      {},
      { classes, random: random(one.draw), runtime },
    );
    const { data: probabilities } = fitted.predict(asked.features);
    const right = test.filter((i, k) => {
      const row = probabilities.subarray(k * classes, (k + 1) * classes);
      return row.indexOf(Math.max(...row)) === labels[i];
    });
    found.push({ key: keyOf(one), accuracy: right.length / test.length });
  }
  return found;
}

/** Short texts classified a second of processor time, words and network together. */
async function speed({ texts, labels, train }, runtime, say) {
  const folder = await mkdtemp(join(tmpdir(), "graft-few-"));
  const rows = train.slice(0, 400).map((i) => ({
    where: `row ${i}`,
    input: { kind: "text", text: texts[i] },
    label: `class ${labels[i]}`,
    split: null,
    group: null,
    weight: 1,
  }));
  const classes = [...new Set(rows.map(({ label }) => label))].sort();
  const dataset = { source: "questions", task: "text-classification", classes, rows, skipped: [] };
  await trainRun(dataset, {
    output: join(folder, "run"),
    backbones: ["builtin:text"],
    layer: "words.mean",
    method: "probe",
    fast: true,
    baselines: false,
    cache: null,
    runtime,
  });
  const model = await openRun(join(folder, "run"), { runtime });
  const many = Array.from({ length: 20_000 }, (_, k) => ({
    ...rows[0],
    input: { kind: "text", text: texts[train[k % train.length]] },
  }));
  await model.probabilities(many);
  const rates = [];
  for (let round = 0; round < 3; round++) {
    const [before, begin] = [process.cpuUsage(), performance.now()];
    await model.probabilities(many);
    const { user, system } = process.cpuUsage(before);
    const seconds = (performance.now() - begin) / 1000;
    rates.push(many.length / ((user + system) / 1e6));
    say(
      `${many.length} questions: ${(many.length / seconds).toFixed(0)} a second, ${rates.at(-1).toFixed(0)} a second of processor time`,
    );
  }
  await model.close();
  await rm(folder, { recursive: true });
  const rate = rates.toSorted((a, b) => a - b)[1];
  return {
    case: "short texts classified a second of processor time",
    ours: round(rate),
    peer: 20_000,
    peerName: "goal",
    unit: "texts/s",
    ratio: round(20_000 / rate),
    spread: [round(20_000 / Math.max(...rates)), round(20_000 / Math.min(...rates))],
  };
}

/** The accuracies of the peers, a draw each. */
async function peers(sets, draws) {
  const folder = await mkdtemp(join(tmpdir(), "graft-few-"));
  const file = join(folder, "sets.json");
  writeFileSync(file, JSON.stringify({ sets, draws, glove: join(data, "vectors_glove50_5k") }));
  const child = spawn(python, ["-W", "ignore", join(root, "bench/few-labels-peer.py"), file], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1" },
  });
  let text = "";
  for await (const chunk of child.stdout) text += chunk;
  await rm(folder, { recursive: true });
  return JSON.parse(text);
}

/** So many rows of every class, other ones for every draw. */
function drawn(train, labels, shots, draw) {
  const order = random(draw).fork(`shots ${shots}`).permutation(train.length);
  const counts = new Map();
  return Array.from(order, (place) => train[place]).filter((i) => {
    const count = (counts.get(labels[i]) ?? 0) + 1;
    counts.set(labels[i], count);
    return count <= shots;
  });
}

function official(name, train, test) {
  const all = [...train, ...test];
  const names = [...new Set(all.map(({ label }) => label))].sort();
  return {
    name,
    texts: all.map(({ text }) => text),
    labels: all.map(({ label }) => names.indexOf(label)),
    train: [...train.keys()],
    test: Array.from(test, (_, i) => train.length + i),
  };
}

function heldOut(name, classes) {
  const texts = classes.flat();
  const order = [...random(0).fork(name).permutation(texts.length)];
  const labels = classes.flatMap((lines, label) => lines.map(() => label));
  return { name, texts, labels, train: order.slice(HELD_OUT), test: order.slice(0, HELD_OUT) };
}

function trec() {
  return official("TREC-6", trecRows("train"), trecRows("test"));
}

function sst() {
  return official("SST-2", sstRows("train"), sstRows("test"));
}

function subj() {
  const names = ["objective", "subjective"];
  return heldOut(
    "SUBJ",
    names.map((part) => linesOf(`text_subj/subj.${part}`, "latin1")),
  );
}

function mr() {
  return heldOut(
    "MR",
    ["neg", "pos"].map((part) => linesOf(`text_mr/rt-polarity.${part}`, "latin1")),
  );
}

const keyOf = ({ name, shots, draw }) => `${name} ${shots} ${draw}`;
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1));
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const round = (value) => Number(value.toPrecision(3));
