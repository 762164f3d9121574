// The other trainers of word vectors that bench/embed.mjs and bench/embed-quality.mjs run, at the same settings.
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const python = process.env.GRAFT_PYTHON ?? join(root, ".venv/bin/python");

/** fastText's program; null where there is none. */
export const fasttextProgram =
  ["fasttext", process.env.GRAFT_FASTTEXT ?? "fasttext"].find(
    (program) => spawnSync(program, ["help"]).error === undefined,
  ) ?? null;

const rateOf = (method) => (method === "cbow" ? 0.05 : 0.025);

export function word2vecArguments({
  method,
  corpus,
  output,
  dim,
  window,
  negative,
  sample,
  minCount,
  epochs,
  threads,
}) {
  const flags = {
    ...{ train: corpus, output, cbow: method === "cbow" ? 1 : 0, size: dim, window, negative, hs: 0, sample },
    ...{ threads, binary: 1, iter: epochs, "min-count": minCount, alpha: rateOf(method) },
  };
  return Object.entries(flags).flatMap(([name, value]) => [`-${name}`, String(value)]);
}

/** Without sub-words; `output` gets the ending .bin of a model. */
export function fasttextArguments({
  method,
  corpus,
  output,
  dim,
  window,
  negative,
  sample,
  minCount,
  epochs,
  threads,
}) {
  const flags = {
    ...{ input: corpus, output, dim, ws: window, neg: negative, t: sample, minCount, epoch: epochs },
    ...{ thread: threads, maxn: 0, minn: 0, bucket: 1, lr: rateOf(method), verbose: 0 },
  };
  return [method, ...Object.entries(flags).flatMap(([name, value]) => [`-${name}`, String(value)])];
}

/** A process of gensim that trains what it is asked to. */
export function gensimPeer() {
  const peer = spawn(python, [join(root, "bench/embed-peer.py")], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error("the peer ended");
    return JSON.parse(value);
  };
  return {
    next,
    async ask(question) {
      peer.stdin.write(`${JSON.stringify(question)}\n`);
      return await next();
    },
    end: () => peer.stdin.end(),
  };
}
