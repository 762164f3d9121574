// Training taggers: words a second beside the same networks in PyTorch, in turn, on sentences of the lengths
// of English web text drawn here. Both sort by length, pad, clip and use AdamW. Needs .venv with torch; the
// first epoch is not counted. Then tagging beside spaCy's tagger of its usual size, where the Python of
// .venv, or the one SPACY_PYTHON names, has spaCy.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { random } from "../packages/core/dist/index.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const THREADS = process.env.THREADS ?? "2";
const ROUNDS = Number(process.env.ROUNDS ?? 2);
const SENTENCES = Number(process.env.SENTENCES ?? 1600);
const CASES = (process.env.CASES ?? "bilstm softmax,bilstm crf,dilated-cnn softmax")
  .split(",")
  .filter(Boolean);

const TAGGED = (process.env.TAGGED ?? "bilstm softmax,dilated-cnn softmax").split(",").filter(Boolean);

export async function run(log) {
  const folder = mkdtempSync(join(tmpdir(), "graft-bench-tagger-"));
  const path = join(folder, "sentences.json");
  writeFileSync(path, JSON.stringify(sentences(SENTENCES, 9000)));
  try {
    return [...CASES.map((name) => training(name, path, log)), ...tagging(path, log)];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A row of training: ours and PyTorch's epochs in turn. */
function training(name, path, log) {
  const [encoder, head] = name.split(" ");
  const [ours, peer] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(...measured(process.execPath, [join(here, "tagger-side.mjs"), path, encoder, head, THREADS]));
    peer.push(
      ...measured(join(here, "../.venv/bin/python"), [
        join(here, "tagger-peer.py"),
        path,
        encoder,
        head,
        THREADS,
      ]),
    );
  }
  log(`${name}: ours ${ours.map(Math.round)}, PyTorch ${peer.map(Math.round)} words a second`);
  return row(`train ${name}`, ours, peer, "PyTorch");
}

/** Rows of tagging beside spaCy; none where there is no spaCy. */
function tagging(path, log) {
  const python = process.env.SPACY_PYTHON ?? join(here, "../.venv/bin/python");
  const has = spawnSync(python, ["-c", "import spacy"], { stdio: "ignore" }).status === 0;
  if (!has) log("tagging: no spaCy, so nothing to compare with");
  return (has ? TAGGED : []).map((name) => {
    const [encoder, head] = name.split(" ");
    const [ours, peer] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      ours.push(
        ...measured(process.execPath, [join(here, "tagger-side.mjs"), path, encoder, head, THREADS, "tag"]),
      );
      peer.push(...measured(python, [join(here, "tagger-spacy.py"), path]));
    }
    log(`tag ${name}: ours ${ours.map(Math.round)}, spaCy ${peer.map(Math.round)} words a second`);
    return row(`tag ${name}`, ours, peer, "spaCy");
  });
}

function row(name, ours, peer, peerName) {
  const [a, b] = [middle(ours), middle(peer)];
  const ratios = ours.map((one, i) => peer[i] / one).sort((x, y) => x - y);
  return {
    case: name,
    ours: Math.round(a),
    peer: Math.round(b),
    peerName,
    unit: "words/s",
    ratio: Number((b / a).toFixed(3)),
    spread: [ratios[0], ratios.at(-1)].map((one) => Number(one.toFixed(3))),
  };
}

/** Words a second of each epoch after the first, from the last line that a program prints. */
function measured(program, args) {
  const out = execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(out.trimEnd().split("\n").at(-1)).wordsPerSecond;
}

const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** Sentences of word numbers with tags: lengths log-normal about 12, words by a Zipf law. */
function sentences(count, vocabulary) {
  const source = random(5);
  return Array.from({ length: count }, () => {
    const length = Math.max(1, Math.min(90, Math.round(Math.exp(2.5 + 0.75 * source.normal()))));
    const words = Array.from({ length }, () => Math.floor(vocabulary ** source.uniform()) - 1);
    return { words, tags: words.map((word) => (word * 7) % 17) };
  });
}
