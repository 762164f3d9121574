import { open } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { type EmbedModel, embedJob, embedWorker, random } from "@graft-ml/core";
import { readTokens } from "./numbers.ts";

/**
 * A part of the corpus to be trained on: numbers [from, to) of the file, and how far training is before and
 * after it.
 */
export interface EmbedBlock {
  readonly from: number;
  readonly to: number;
  readonly progress: readonly [number, number];
  /** Seed, epoch and block: what the block's random numbers come from. */
  readonly random: readonly [number, number, number];
}

/** Threads that train on one model's memory. */
export interface EmbedThreads {
  /** Trains on blocks, each thread on the next one that nobody has taken; one thread takes them in order. */
  train(blocks: readonly EmbedBlock[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * One thread is this one; several are worker threads, which write to the same rows without asking each other
 * (Niu et al. 2011).
 */
export async function embedThreads(model: EmbedModel, path: string): Promise<EmbedThreads> {
  return model.layout.threads === 1 ? await thisThread(model, path) : await workers(model, path);
}

async function thisThread(model: EmbedModel, path: string): Promise<EmbedThreads> {
  const file = await open(path);
  const trainer = embedWorker(embedJob(model), 0);
  return {
    async train(blocks) {
      for (const { from, to, progress, random: label } of blocks)
        trainer.train(await readTokens(file, from, to), progress, blockRandom(label));
    },
    close: () => file.close(),
  };
}

function blockRandom([seed, epoch, block]: EmbedBlock["random"]) {
  return random(seed).fork(`${epoch}/${block}`);
}

async function workers(model: EmbedModel, path: string): Promise<EmbedThreads> {
  const job = embedJob(model);
  /** How many blocks of the round are taken: each thread takes the next one, so that none waits for a slower one. */
  const taken = new Int32Array(new SharedArrayBuffer(4));
  const all = Array.from(
    { length: model.layout.threads },
    (_, thread) =>
      new Worker(new URL("./embed-worker.js", import.meta.url), { workerData: { job, thread, path, taken } }),
  );
  const answer = (worker: Worker) =>
    new Promise<void>((resolve, reject) => {
      const settle = (act: () => void) => {
        worker.off("message", done).off("error", failed).off("exit", left);
        act();
      };
      const done = () => settle(resolve);
      const failed = (error: Error) => settle(() => reject(error));
      const left = () => settle(() => reject(new Error("a training thread ended before its work")));
      worker.on("message", done).on("error", failed).on("exit", left);
    });
  const close = async () => {
    await Promise.all(all.map((worker) => worker.terminate()));
  };
  try {
    await Promise.all(all.map(answer)); // they are ready
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async train(blocks) {
      Atomics.store(taken, 0, 0);
      await Promise.all(
        all.map(async (worker) => {
          const answered = answer(worker);
          worker.postMessage({ blocks });
          await answered;
        }),
      );
    },
    close,
  };
}
