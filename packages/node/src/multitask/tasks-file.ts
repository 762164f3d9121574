import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import {
  InputError,
  lossWeightings,
  type Options,
  resolveSettings,
  type Settings,
  taggerEncoders,
  taskSamplers,
} from "@graft-ml/core";
import { dataOptions } from "../data/format.ts";
import { architectureOf } from "../sources/index.ts";
import { namesVectors } from "../sources/vectors.ts";
import { fineTuneOptions } from "../training/index.ts";
import type { TaskKind } from "./kind.ts";
import * as kinds from "./kinds/index.ts";
import { repeatedKey } from "./repeated-key.ts";
import { continuingOptions, sentenceOptions } from "./sentence-trunk.ts";

/** TASKS.json as it was understood; see docs/multitask.md. */
export interface TasksFile {
  readonly path: string;
  readonly trunk: TrunkChoice;
  /** A name in `taskSamplers`, or "together". */
  readonly sampling: NamedChoice;
  /** A name in `lossWeightings`. */
  readonly weighting: NamedChoice;
  readonly training: TrainingSettings;
  readonly tasks: readonly TaskSpec[];
}

/** A choice by its name, with its settings. */
export interface NamedChoice {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** The network that all tasks share: an architecture to be trained from nothing, or a pretrained network. */
export interface TrunkChoice {
  readonly arch: string | null;
  readonly options: Readonly<Record<string, unknown>>;
  readonly backbone: string | null;
  /** Blocks of a pretrained network that are trained, from the top; null for all. */
  readonly depth: number | null;
  readonly maxLength: number | null;
}

/** One task. */
export interface TaskSpec {
  readonly name: string;
  readonly kind: keyof typeof kinds;
  /** Its file or folder; null for the training inputs of the other tasks. */
  readonly data: string | null;
  /** How the data are read. */
  readonly reading: Readonly<Record<string, unknown>>;
  readonly common: Settings<typeof commonOptions>;
  /** New names of classes, several of which may become one. */
  readonly relabel: Readonly<Record<string, string>> | null;
  readonly settings: Readonly<Record<string, unknown>>;
}

const { batchSize, weightDecay, warmup, clip, ema, patience, flip, crop, colour, operations, cutout } =
  fineTuneOptions;

/** Settings of training, the same for the joint run and for each task alone. */
export const trainingOptions = {
  epochs: { type: "number", default: 10, min: 1, max: 10_000, about: "passes over the rows of all tasks" },
  learningRate: {
    type: "number",
    default: null,
    min: 0,
    max: 10,
    about:
      "greatest learning rate (1e-3 from nothing, 1e-4 on a pretrained network, 3e-3 on a tagger's trunk)",
  },
  batchSize: { ...batchSize, default: 32 },
  weightDecay,
  warmup,
  clip,
  ema: {
    ...ema,
    default: null,
    about:
      "share of a running average of weights; 0 for none, the default but for a tagger's trunk: there over the last twentieth of the steps",
  },
  patience,
  validation: {
    type: "number",
    default: 0.1,
    min: 0.01,
    max: 0.5,
    about: "share of each task's training rows held out to choose the epoch",
  },
  flip,
  crop,
  colour,
  operations,
  cutout,
} as const satisfies Options;

/** Settings of training, all of them. */
export type TrainingSettings = Settings<typeof trainingOptions>;

/** What every task can be told. */
export const commonOptions = {
  layer: { type: "string", default: null, about: "layer of the trunk that the head stands on" },
  lossWeight: { type: "number", default: 1, min: 0, max: 1e6, about: "factor of the task's loss" },
  limit: {
    type: "number",
    default: null,
    min: 2,
    about: "most training rows that are taken, and of an official validation part most rows",
  },
  shots: { type: "number", default: null, min: 1, about: "labelled training rows a class that are kept" },
  testFraction: {
    type: "number",
    default: null,
    min: 0.01,
    max: 0.9,
    about: "share of the rows tested on where the data bring no test part",
  },
} as const satisfies Options;

/** Task names become names of outputs and files. */
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const MOST_TASKS = 64;

/** Reads and checks TASKS.json. Throws an InputError that names the file, the task and the field. */
export async function readTasksFile(path: string): Promise<TasksFile> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "EISDIR") throw error;
    throw new InputError(`${path}: there is no such file; TASKS.json says which tasks share a network`);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${path} is not JSON: ${(error as Error).message}`);
  }
  const twice = repeatedKey(text);
  if (twice !== null)
    throw new InputError(
      `${path}: ${twice} is given twice; give one of the two another name, or take it out`,
    );
  return tasksFile(content, path);
}

/** Checks the content of a TASKS.json; paths in it are relative to the file's folder. */
export function tasksFile(content: unknown, path: string): TasksFile {
  const root = fields(path, content, ["trunk", "sampling", "weighting", "training", "tasks"]);
  const given = objectAt(`${path}: tasks`, root.tasks);
  const names = Object.keys(given);
  if (names.length < 1 || names.length > MOST_TASKS)
    throw new InputError(`${path}: tasks has ${names.length} entries; from 1 to ${MOST_TASKS} were expected`);
  const tasks = names.map((name) => taskSpec(name, given[name], path));
  if (!tasks.some(({ kind }) => kindOf(kind).labels === "required"))
    throw new InputError(
      `${path}: none of the tasks ${names.join(", ")} has labels; add one that is to be learnt`,
    );
  const weighting = choiceAt(`${path}: weighting`, root.weighting ?? "fixed", lossWeightings);
  const sampling = choiceAt(`${path}: sampling`, root.sampling ?? defaultSampling(weighting.name), {
    together: { options: {} },
    ...taskSamplers,
  });
  if (lossWeightings[weighting.name as keyof typeof lossWeightings].isJoint && sampling.name !== "together")
    throw new InputError(
      `${path}: weighting "${weighting.name}" compares all tasks at one point, so sampling must be "together", got "${sampling.name}"`,
    );
  return {
    path,
    trunk: trunkChoice(root.trunk, path),
    sampling,
    weighting,
    training: resolveSettings(
      `${path}: training`,
      trainingOptions,
      objectAt(`${path}: training`, root.training ?? {}),
    ),
    tasks,
  };
}

/** A kind by its name. */
export function kindOf(name: keyof typeof kinds): TaskKind {
  const all: Readonly<Record<keyof typeof kinds, TaskKind>> = kinds;
  return all[name];
}

function defaultSampling(weighting: string): string {
  return lossWeightings[weighting as keyof typeof lossWeightings].isJoint ? "together" : "proportional";
}

function taskSpec(name: string, given: unknown, path: string): TaskSpec {
  const where = `${path}: task "${name}"`;
  if (!NAME.test(name))
    throw new InputError(
      `${where}: a task's name has letters, digits, _ and -, begins with a letter and is at most 64 long`,
    );
  const task = objectAt(where, given);
  const kind = task.kind ?? "classification";
  if (typeof kind !== "string" || !Object.hasOwn(kinds, kind))
    throw new InputError(
      `${where}: kind ${JSON.stringify(kind)} is none of ${Object.keys(kinds).join(", ")}`,
    );
  const definition = kindOf(kind as keyof typeof kinds);
  const known = [
    "kind",
    "data",
    "relabel",
    ...Object.keys({ ...commonOptions, ...dataOptions, ...definition.options }),
  ];
  fields(where, task, known);
  const of = (options: Options) =>
    Object.fromEntries(Object.entries(task).filter(([field]) => Object.hasOwn(options, field)));
  const { data = null } = task;
  if (data !== null && typeof data !== "string")
    throw new InputError(`${where}: data must be the path of a file or folder, got ${JSON.stringify(data)}`);
  if (data === null && definition.labels === "required" && !definition.keepsTags)
    throw new InputError(`${where}: data is missing; name the file or folder of its labelled rows`);
  const beside = (relative: string) => resolve(dirname(path), relative);
  const reading = resolveSettings(where, dataOptions, of(dataOptions));
  return {
    name,
    kind: kind as keyof typeof kinds,
    data: data === null ? null : beside(data),
    reading: { ...reading, ...(reading.test === null ? {} : { test: beside(reading.test) }) },
    common: resolveSettings(where, commonOptions, of(commonOptions)),
    relabel: relabelling(`${where}: relabel`, task.relabel),
    settings: resolveSettings(where, definition.options, of(definition.options)),
  };
}

function relabelling(where: string, given: unknown): TaskSpec["relabel"] {
  if (given === undefined || given === null) return null;
  const map = objectAt(where, given);
  for (const [from, to] of Object.entries(map))
    if (typeof to !== "string" || to === "")
      throw new InputError(`${where}: "${from}" must become a class name, got ${JSON.stringify(to)}`);
  return map as Record<string, string>;
}

function trunkChoice(given: unknown, path: string): TrunkChoice {
  const where = `${path}: trunk`;
  if (given === undefined)
    throw new InputError(
      `${where} is missing; as in { "arch": "text-cnn" } or { "backbone": "models/encoder" }`,
    );
  const trunk = fields(where, given, ["arch", "options", "backbone", "depth", "maxLength"]);
  const { arch = null, backbone = null, options = {}, depth = null, maxLength = null } = trunk;
  if (arch === null && backbone === null)
    throw new InputError(`${where}: either arch or backbone was expected, got neither`);
  const text = (field: string, value: unknown) => {
    if (typeof value === "string" && value !== "") return value;
    throw new InputError(`${where}: ${field} must be text, got ${JSON.stringify(value)}`);
  };
  const whole = (field: string, value: unknown) => {
    if (value === null || (Number.isInteger(value) && (value as number) >= 0)) return value as number | null;
    throw new InputError(`${where}: ${field} must be a whole number, got ${JSON.stringify(value)}`);
  };
  const settings = objectAt(`${where}: options`, options);
  const encoder = arch !== null && Object.hasOwn(taggerEncoders, arch as string);
  if (arch !== null)
    resolveSettings(
      `${where}: options`,
      encoder ? sentenceOptions : architectureOf(text("arch", arch)).options,
      settings,
    );
  else if (text("backbone", backbone).startsWith("run:"))
    resolveSettings(`${where}: options`, continuingOptions, settings);
  else if (Object.keys(settings).length > 0)
    throw new InputError(`${where}: options are of an arch; a backbone has none`);
  const takesVectors = encoder || (arch !== null && architectureOf(arch as string).modality === "text");
  if (arch !== null && backbone !== null && !(takesVectors && namesVectors(text("backbone", backbone))))
    throw new InputError(
      `${where}: either arch or backbone was expected, got both; only a network of texts (text-cnn, transformer-small, ${Object.keys(taggerEncoders).join(", ")}) goes with a backbone, which is vectors:FILE`,
    );
  if (arch === null && namesVectors(text("backbone", backbone)))
    throw new InputError(`${where}: word vectors need an encoder; add "arch": "bilstm"`);
  if (arch !== null && depth !== null)
    throw new InputError(`${where}: depth is of a backbone; of an arch every layer is trained`);
  return {
    arch: arch === null ? null : text("arch", arch),
    options: settings,
    backbone: backbone === null ? null : besideFile(text("backbone", backbone), path),
    depth: whole("depth", depth),
    maxLength: whole("maxLength", maxLength),
  };
}

/** A path is relative to TASKS.json, also behind `run:` and `vectors:`; `hf:…`, `builtin:…` and the like are none. */
function besideFile(spec: string, path: string): string {
  if (/^(hf|builtin|none)(:|$)/.test(spec)) return spec;
  const [, scheme = "", rest = ""] = /^(run:|vectors:)?(.*)$/s.exec(spec) ?? [];
  return `${scheme}${resolve(dirname(path), rest)}`;
}

function choiceAt(
  where: string,
  given: unknown,
  table: Readonly<Record<string, { readonly options: Options }>>,
): NamedChoice {
  const { name, ...settings } = typeof given === "string" ? { name: given } : objectAt(where, given);
  if (typeof name !== "string" || !Object.hasOwn(table, name))
    throw new InputError(
      `${where}: ${JSON.stringify(name ?? given)} is none of ${Object.keys(table).join(", ")}`,
    );
  resolveSettings(`${where} ${name}`, table[name]!.options, settings);
  return { name, settings };
}

function fields(where: string, given: unknown, known: readonly string[]): Record<string, unknown> {
  const object = objectAt(where, given);
  const unknown = Object.keys(object).find((field) => !known.includes(field));
  if (unknown !== undefined)
    throw new InputError(`${where}: there is no field "${unknown}"; there are ${known.join(", ")}`);
  return object;
}

function objectAt(where: string, given: unknown): Record<string, unknown> {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new InputError(`${where} must be an object of fields, got ${JSON.stringify(given) ?? "nothing"}`);
  return given as Record<string, unknown>;
}
