// Fits on training rows and predictions for test rows, by a head of ours and by scikit-learn, on the same
// features and rows.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { heads, random, takeFeatures } from "graft-ml";
import { python } from "./photo-features.mjs";

const script = fileURLToPath(new URL("photos-peer.py", import.meta.url));

/**
 * Probabilities of every task's test rows by our head.
 * @param {import("graft-ml").Head} head
 */
export async function ourProbabilities({ features, labels, classes }, tasks, head = heads.logistic) {
  const made = [];
  for (const [at, { train, test }] of tasks.entries()) {
    const context = { classes: classes.length, random: random(at) };
    const own = Int32Array.from(train, (i) => labels[i]);
    const fitted = await head.fit(takeFeatures(features, train), own, {}, context);
    made.push(fitted.predict(takeFeatures(features, test)));
  }
  return made;
}

/** The same by scikit-learn. */
export async function peerProbabilities({ features, labels, classes }, tasks) {
  const folder = await mkdtemp(join(tmpdir(), "graft-bench-"));
  try {
    writeFileSync(join(folder, "features.f32"), features.data);
    writeFileSync(join(folder, "labels.i32"), labels);
    writeFileSync(join(folder, "tasks.json"), JSON.stringify(tasks.map(plain)));
    execFileSync(python, [script, folder], { stdio: ["ignore", "ignore", "inherit"] });
    const all = new Float64Array(new Uint8Array(readFileSync(join(folder, "peer.f64"))).buffer);
    let from = 0;
    return tasks.map(({ test }) => {
      const size = test.length * classes.length;
      from += size;
      return { rows: test.length, columns: classes.length, data: all.subarray(from - size, from) };
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** `shots` rows a class of `pool`, drawn at random. */
export function drawShots(pool, labels, shots, source) {
  const seen = new Map();
  const drawn = [];
  for (const k of source.permutation(pool.length)) {
    const i = pool[k];
    const count = seen.get(labels[i]) ?? 0;
    if (count >= shots) continue;
    seen.set(labels[i], count + 1);
    drawn.push(i);
  }
  return drawn;
}

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
export const rounded = (value, digits = 4) => Number(value.toFixed(digits));

const plain = ({ train, test }) => ({ train: Array.from(train), test: Array.from(test) });
