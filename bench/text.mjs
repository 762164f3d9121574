// Texts without transfer: TF-IDF and a logistic head against scikit-learn's vectorizers (word 1–2-grams and
// char_wb 3–5, of Chinese characters 1–3, sublinear) and LogisticRegression(C=10), on the same splits. Times
// are of fit and transform of the vectorizers on the training part; errors are of the test part, the strength
// of our head by inner cross-validation.
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fitTfidf, heads, ortRuntime, random, readDataset } from "graft-ml";
import { pythonPeer } from "./python-peer.mjs";
import { data, linesOf, sstRows, trecRows } from "./text-sets.mjs";

/** Rounds of timing; GRAFT_ROUNDS=0 measures errors alone. GRAFT_SETS=SUBJ,emotion chooses sets. */
const ROUNDS = Number(process.env.GRAFT_ROUNDS ?? 3);
const WANTED = process.env.GRAFT_SETS?.split(",");
const FOLDS = 10;
/** Accuracy that each set shall reach. */
const GOALS = { "SST-2": 0.825, "TREC-6": 0.89, SUBJ: 0.92, emotion: 0.855, "hotel reviews": 0.88 };

/** @param {(line: string) => void} say */
export async function run(say) {
  const all = [sst(), trec(), subj(), emotion(), await hotels()];
  const sets = all.filter(({ name }) => WANTED === undefined || WANTED.includes(name));
  const folder = await mkdtemp(join(tmpdir(), "graft-bench-"));
  const file = join(folder, "sets.json");
  writeFileSync(file, JSON.stringify(sets));
  const peer = pythonPeer("text-peer.py", file);
  const runtime = await ortRuntime({ spinning: false });
  const { version } = await peer.next();
  say(`scikit-learn ${version}`);
  const rows = [];
  for (const [s, set] of sets.entries()) {
    if (ROUNDS > 0) rows.push(await timed(s, set, peer, say));
    rows.push(await compared(s, set, { peer, runtime, say }));
  }
  peer.stop();
  await runtime.close();
  await rm(folder, { recursive: true });
  return rows;
}

async function timed(s, { name, texts, splits }, peer, say) {
  const train = splits[0].train.map((i) => texts[i]);
  const times = { ours: [], peer: [] };
  for (let round = -1; round < ROUNDS; round++) {
    const begin = performance.now();
    fitTfidf(train).transform(train);
    const ours = (performance.now() - begin) / 1000;
    const { seconds } = await peer.ask({ set: s, verb: "time" });
    say(`${name}: TF-IDF of ${train.length} texts, ours ${ours.toFixed(2)} s, peer ${seconds.toFixed(2)} s`);
    if (round < 0) continue;
    times.ours.push(ours);
    times.peer.push(seconds);
  }
  const ratios = times.ours.map((ours, i) => ours / times.peer[i]).sort((a, b) => a - b);
  return {
    case: `${name}, TF-IDF fit and transform`,
    ours: round(median(times.ours)),
    peer: round(median(times.peer)),
    peerName: "scikit-learn TfidfVectorizer × 2",
    unit: "s",
    ratio: round(median(ratios)),
    spread: [round(ratios[0]), round(ratios.at(-1))],
  };
}

/** Errors on the test part, over all splits. */
async function compared(s, { name, texts, labels, splits }, { peer, runtime, say }) {
  const classes = new Set(labels).size;
  const begin = performance.now();
  let right = 0;
  let count = 0;
  const strengths = [];
  for (const { train, test } of splits) {
    const of = (part) => part.map((i) => texts[i]);
    const tfidf = fitTfidf(of(train));
    const context = { classes, random: random(0), runtime };
    const known = Int32Array.from(train, (i) => labels[i]);
    const fitted = await heads.logistic.fit(tfidf.transform(of(train)), known, {}, context);
    const { data: probabilities } = fitted.predict(tfidf.transform(of(test)));
    for (const [k, i] of test.entries()) {
      const row = probabilities.subarray(k * classes, (k + 1) * classes);
      if (row.indexOf(Math.max(...row)) === labels[i]) right++;
    }
    count += test.length;
    strengths.push(fitted.chosen.strength);
  }
  const seconds = (performance.now() - begin) / 1000;
  const theirs = await peer.ask({ set: s, verb: "score" });
  const accuracy = right / count;
  const verdict = accuracy >= GOALS[name] ? "reached" : "MISSED";
  say(
    `${name}: accuracy ${accuracy.toFixed(4)} (goal ${GOALS[name]} ${verdict}), C ${[...new Set(strengths)].join(", ")}, ` +
      `${seconds.toFixed(1)} s in all; scikit-learn ${theirs.accuracy.toFixed(4)} in ${theirs.seconds.toFixed(1)} s`,
  );
  const ratio = round((1 - accuracy) / (1 - theirs.accuracy));
  return {
    case: `${name}, error (${count} test texts)`,
    ours: round(1 - accuracy),
    peer: round(1 - theirs.accuracy),
    peerName: "scikit-learn LogisticRegression(C=10)",
    unit: "share",
    ratio,
    spread: [ratio, ratio],
  };
}

/** A set with an official test part. */
function official(name, train, test) {
  const all = [...train, ...test];
  const names = [...new Set(all.map(({ label }) => label))].sort();
  const part = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
  return {
    name,
    texts: all.map(({ text }) => text),
    labels: all.map(({ label }) => names.indexOf(label)),
    splits: [{ train: part(0, train.length), test: part(train.length, all.length) }],
  };
}

function sst() {
  return official("SST-2", sstRows("train"), sstRows("test"));
}

function trec() {
  return official("TREC-6", trecRows("train"), trecRows("test"));
}

function emotion() {
  const rows = (part) =>
    linesOf(`text_emotion/${part}.txt`)
      .map((line) => line.split(";"))
      .filter(([text]) => text !== "text")
      .map(([text, label]) => ({ text, label }));
  return official("emotion", rows("train"), rows("test"));
}

function subj() {
  const parts = ["objective", "subjective"].map((part) => linesOf(`text_subj/subj.${part}`, "latin1"));
  const texts = parts.flat();
  const labels = parts.flatMap((lines, label) => lines.map(() => label));
  return { name: "SUBJ", texts, labels, splits: folds(labels, 5).slice(0, 1) };
}

async function hotels() {
  const path = join(data, "text_zh_chnsenticorp_htl_all/ChnSentiCorp_htl_all.csv");
  const { rows } = await readDataset(path, { text: "review", label: "label", onError: "skip" });
  const texts = rows.map(({ input }) => input.text);
  const labels = rows.map(({ label }) => Number(label));
  return { name: "hotel reviews", texts, labels, splits: folds(labels, FOLDS) };
}

/** Stratified folds, each the test part once. */
function folds(labels, count) {
  const seen = new Map();
  const fold = new Int32Array(labels.length);
  for (const i of random(0).permutation(labels.length)) {
    const rank = seen.get(labels[i]) ?? 0;
    fold[i] = rank % count;
    seen.set(labels[i], rank + 1);
  }
  const all = [...labels.keys()];
  return Array.from({ length: count }, (_, k) => ({
    train: all.filter((i) => fold[i] !== k),
    test: all.filter((i) => fold[i] === k),
  }));
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const round = (value) => Number(value.toPrecision(3));
