// A thread that trains word vectors on memory shared with others: gets a job and says when it is ready; then
// blocks of the corpus by number, of which it takes the next one as long as there is one, and answers when
// none is left.
import { open } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import { embedWorker, random } from "@graft-ml/core";

/** @type {{ job: import("@graft-ml/core").EmbedJob; thread: number; path: string; taken: Int32Array }} */
const { job, thread, path, taken } = workerData;
const trainer = embedWorker(job, thread);
const file = await open(path);

parentPort?.on(
  "message",
  /** @param {{ blocks: { from: number; to: number; progress: [number, number]; random: number[] }[] }} message */
  async ({ blocks }) => {
    for (;;) {
      const block = blocks[Atomics.add(taken, 0, 1)];
      if (block === undefined) break;
      const { from, to, progress, random: label } = block;
      const tokens = new Int32Array(to - from);
      await file.read(new Uint8Array(tokens.buffer), 0, 4 * tokens.length, 4 * from);
      trainer.train(tokens, progress, random(label[0] ?? 0).fork(`${label[1]}/${label[2]}`));
    }
    parentPort?.postMessage("done");
  },
);
parentPort?.postMessage("ready");
