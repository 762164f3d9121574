import { type Dataset, InputError, POOLINGS, type Settings } from "@graft-ml/core";
import { dataOptions } from "../data/format.ts";
import { readDataset } from "../data/read.ts";
import type { TrainRunOptions } from "../runs/index.ts";
import type { Device } from "../runtime/index.ts";
import { FRAMINGS } from "../sources/index.ts";
import type { Terminal } from "./terminal.ts";

/** Flags of every command that runs a network. */
export const runtimeFlags = {
  threads: {
    type: "number",
    default: null,
    min: 1,
    max: 1024,
    about: "threads that share one operator's work (default: the physical cores)",
  },
  device: {
    type: "choice",
    default: "cpu",
    of: ["cpu", "webgpu", "cuda"],
    about: "what executes the network; an error where it is absent",
  },
} as const;

/** The flag of commands that open a RUN, which may have several tasks. */
export const taskFlag = {
  task: { type: "string", default: null, about: "of a RUN with several tasks, the one that is meant" },
} as const;

/** Flags of every command that takes features of a backbone. */
export const backboneFlags = {
  layer: {
    type: "string",
    default: null,
    about:
      "layer the features are taken at: a name from graft layers, or auto (default: before the classifier)",
  },
  pooling: {
    type: "choice",
    default: "auto",
    of: POOLINGS,
    about: "how positions become one row: auto is the mean, of a text's real tokens alone",
  },
  framing: {
    type: "choice",
    default: "stated",
    of: FRAMINGS,
    about: "images: as the backbone's files state, cropped where they squeeze; train may choose with auto",
  },
  maxLength: { type: "number", default: null, min: 1, about: "tokens a text is cut to" },
  batchSize: {
    type: "number",
    default: null,
    min: 1,
    max: 4096,
    about: "rows a run of the network (default: 2 images or 8 texts)",
  },
  assume: {
    type: "choice",
    default: "none",
    of: ["none", "imagenet", "symmetric", "unit", "bytes"],
    about: "scaling of pixels where the backbone's files do not say",
  },
  offline: { type: "boolean", default: false, about: "ask nothing of the network; the hub's cache must do" },
} as const;

/** Flags that name the cache. */
export const cacheFlags = {
  cache: { type: "boolean", default: true, about: "keep and read features in the cache (GRAFT_CACHE)" },
} as const;

type DataFlags = Settings<typeof dataOptions>;
type RuntimeFlags = Settings<typeof runtimeFlags>;
type BackboneFlags = Settings<typeof backboneFlags>;

export { dataOptions as dataFlags };

/** Reads DATA as the flags say. */
export async function readData(
  path: string,
  settings: DataFlags,
  more: { readonly labels?: "required" | "optional"; readonly signal?: AbortSignal } = {},
): Promise<Dataset> {
  const given = Object.fromEntries(
    Object.keys(dataOptions).map((name) => [name, settings[name as keyof DataFlags]]),
  );
  return await readDataset(path, { ...given, ...more });
}

/** Settings of the runtime as its API takes them. */
export function runtimeSettings({ threads, device }: RuntimeFlags): { threads?: number; device: Device } {
  return { device, ...(threads === null ? {} : { threads }) };
}

/** Settings of finding a backbone as its API takes them. */
export function backboneSettings({
  assume,
  offline,
}: Pick<BackboneFlags, "assume" | "offline">): NonNullable<TrainRunOptions["backbone"]> {
  return { ...(assume === "none" ? {} : { assume }), ...(offline ? { offline } : {}) };
}

/** `balanced`, or CLASS=WEIGHT with commas between. */
export function classWeights(text: string | null): TrainRunOptions["classWeights"] {
  if (text === null) return null;
  if (text === "balanced") return text;
  return Object.fromEntries(
    text.split(",").map((part) => {
      const [, name, weight] = /^(.+)=([^=]+)$/.exec(part.trim()) ?? [];
      const value = Number(weight);
      if (name === undefined || !Number.isFinite(value) || value <= 0)
        throw new InputError(
          `--class-weights: ${JSON.stringify(part)} is not CLASS=WEIGHT with a positive number; as in cat=1,dog=2.5, or balanced`,
        );
      return [name, value];
    }),
  );
}

/** Progress of the API on the terminal. */
export function progressOn(terminal: Terminal): (task: string, done: number, total: number) => void {
  return (task, done, total) => terminal.progress(task, done, total);
}
