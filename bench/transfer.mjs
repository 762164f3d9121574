// Does transfer help? Ways to transfer against a probe or against training from scratch, on real data, seeds
// 0 to 4. CASES=digits,pacs chooses; SEEDS=0,1 too, and SHOTS=10 labels a class of cifar. The first seed
// chooses depth, rate and epochs on its training rows; the others keep them. A line of JSON a finished run
// goes to RESULTS, so that a bench that was stopped goes on. One thread. Nothing is chosen on the rows tested
// on.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cases } from "./transfer-cases.mjs";
import { meanInterval, pairedInterval } from "./transfer-intervals.mjs";

const folder = process.env.RESULTS ?? join(tmpdir(), "graft-transfer");
const seeds = (process.env.SEEDS ?? "0,1,2,3,4").split(",").map(Number);
const wanted = (process.env.CASES ?? Object.keys(cases).join(",")).split(",");

/** The rows of the table: ours and the peer are shares of errors, the difference is of accuracies. */
export async function run(say = console.error) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "runs.jsonl");
  const done = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").filter(Boolean) : [];
  const results = new Map(done.map((line) => [JSON.parse(line).key, JSON.parse(line)]));
  const rows = [];
  for (const name of wanted) {
    const { open, pairs } = cases[name];
    const finished = async (variant, seed, make) => {
      const key = `${name} ${variant} ${seed}`;
      if (!results.has(key)) {
        const begin = performance.now();
        const made = { key, ...(await make()), seconds: Math.round((performance.now() - begin) / 1000) };
        appendFileSync(file, `${JSON.stringify(made)}\n`);
        say(`${key}: ${made.right.filter(Boolean).length} of ${made.right.length} right, ${made.seconds} s`);
        results.set(key, made);
      }
      return results.get(key);
    };
    const bench = await open(join(folder, name), finished);
    const all = new Map();
    for (const seed of seeds)
      for (const [variant, make] of Object.entries(bench.variants))
        all.set(
          `${variant} ${seed}`,
          await finished(variant, seed, () => make(seed, all.get(`${variant} ${seeds[0]}`) ?? null)),
        );
    await bench.close();
    for (const [ours, peer] of pairs) {
      const of = (variant) => seeds.map((seed) => all.get(`${variant} ${seed}`).right);
      const [a, b] = [meanInterval(of(ours)), meanInterval(of(peer))];
      const difference = pairedInterval(of(ours), of(peer));
      rows.push({
        case: `${name}, ${ours}`,
        ours: 1 - a.mean,
        peer: 1 - b.mean,
        peerName: peer,
        unit: "share of errors",
        ratio: (1 - a.mean) / (1 - b.mean),
        spread: a.each.map((one, i) => (1 - one) / (1 - b.each[i])).sort((x, y) => x - y),
        accuracy: a,
        peerAccuracy: b,
        difference,
      });
      say(
        `${name}: ${ours} ${percent(a)} against ${peer} ${percent(b)}: ${percent(difference)} points better`,
      );
    }
  }
  return rows;
}

const percent = ({ mean, interval: [low, high] }) =>
  `${(100 * mean).toFixed(1)} (${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`;
