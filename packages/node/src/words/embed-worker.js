// A thread that trains word vectors on memory shared with others: gets a job, then blocks of the corpus by number, and answers
// when it has trained on them.
import { open } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import { embedWorker, random } from "@graft-ml/core";

/** @type {{ job: import("@graft-ml/core").EmbedJob; thread: number; path: string }} */
const { job, thread, path } = workerData;
const trainer = embedWorker(job, thread);
const file = await open(path);

parentPort?.on(
  "message",
  /** @param {{ blocks: { from: number; to: number; progress: [number, number]; random: number[] }[] }} message */
  async ({ blocks }) => {
    for (const { from, to, progress, random: label } of blocks) {
      const tokens = new Int32Array(to - from);
      await file.read(new Uint8Array(tokens.buffer), 0, 4 * tokens.length, 4 * from);
      trainer.train(tokens, progress, random(label[0] ?? 0).fork(`${label[1]}/${label[2]}`));
    }
    parentPort?.postMessage("done");
  },
);
