import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { readState, type TrainingState, writeState } from "@graft-ml/core";
import { writeWhole } from "../runs/folder.ts";

/** Training states on the disk, by the name of what is trained. */
export interface Checkpoints {
  /** The last state of a training, and whether it had ended; null where there is none. */
  load(name: string): Promise<{ readonly state: TrainingState; readonly done: boolean } | null>;
  /** Replaces the state: a kill at any moment leaves the one before or this one. */
  save(name: string, state: TrainingState, done: boolean): Promise<void>;
  /** Removes all states. */
  clear(): Promise<void>;
}

/**
 * Checkpoints in a folder. `about` is everything that must be the same when training goes on; states of
 * another one are refused with an InputError.
 */
export async function checkpointsIn(folder: string, about: object): Promise<Checkpoints> {
  await mkdir(folder, { recursive: true });
  const key = createHash("sha256").update(JSON.stringify(about)).digest("hex");
  const path = (name: string, done: boolean) => join(folder, `${name}${done ? ".done" : ""}.safetensors`);
  const read = async (name: string, done: boolean) => {
    const file = path(name, done);
    try {
      return { state: readState(await readFile(file), key, file), done };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  };
  return {
    load: async (name) => (await read(name, true)) ?? (await read(name, false)),
    async save(name, state, done) {
      await writeWhole(path(name, done), writeState(state, key));
      if (done) await rm(path(name, false), { force: true });
    },
    async clear() {
      const ours = (await readdir(folder)).filter((name) =>
        /\.safetensors(\.[0-9a-f]{12}\.part)?$/.test(name),
      );
      for (const name of ours) await rm(join(folder, name), { force: true });
    },
  };
}
