import { type Architecture, architectures, type Settings } from "@graft-ml/core";
import {
  type ArchitectureChoice,
  architectureOf,
  VECTOR_TRAININGS,
  type VectorsChoice,
  type VectorTraining,
} from "../sources/index.ts";
import { UsageError } from "./command.ts";

/** Flags of commands that train a network from nothing. */
export const architectureFlags = {
  archOptions: {
    type: "string",
    default: null,
    about:
      "settings of the architecture, as in width=16,depth=1; of texts also vectors=FILE,vectorTraining=tuned, frozen or frozen-then-tuned; docs/pretraining.md lists them",
  },
  imageSize: {
    type: "number",
    default: null,
    min: 8,
    max: 512,
    about: "side in pixels that the architecture takes images at (default 32)",
  },
} as const;

/** The architectures there are, in words. */
export const architectureNames = Object.keys(architectures).join(", ");

/** The architecture that flags ask for. Throws a UsageError for settings that are none. */
export function architectureChoice(
  name: string,
  { archOptions, imageSize }: Settings<typeof architectureFlags>,
  more: Pick<ArchitectureChoice, "init" | "allowMissing" | "vectors"> = {},
): ArchitectureChoice {
  const { options } = architectureOf(name);
  const parts = archOptions === null ? [] : archOptions.split(",");
  const settings = Object.fromEntries(
    parts.filter((part) => !OF_VECTORS.test(part)).map((part) => [...settingOf(part, name, options)]),
  );
  if (imageSize !== null && !("size" in options))
    throw new UsageError(`--image-size: ${name} takes no images; leave it out`);
  const vectors = vectorsOf(parts, more.vectors ?? null);
  return {
    name,
    settings: { ...settings, ...(imageSize === null ? {} : { size: imageSize }) },
    ...more,
    ...(vectors === null ? {} : { vectors }),
  };
}

const OF_VECTORS = /^\s*(vectors|vectorTraining)\s*=\s*(\S+)\s*$/;

/** Word vectors that the settings or a backbone name. */
function vectorsOf(parts: readonly string[], backbone: VectorsChoice | null): VectorsChoice | null {
  const of = (key: string) =>
    parts.map((part) => OF_VECTORS.exec(part)).find((found) => found?.[1] === key)?.[2];
  const [file, training] = [of("vectors"), of("vectorTraining")];
  if (training !== undefined && !VECTOR_TRAININGS.some((one) => one === training))
    throw new UsageError(
      `--arch-options: vectorTraining is one of ${VECTOR_TRAININGS.join(", ")}, got ${JSON.stringify(training)}`,
    );
  if (file !== undefined && backbone !== null)
    throw new UsageError("--arch-options: vectors are named by --backbone already; leave one of the two out");
  const spec =
    backbone?.spec ?? (file === undefined || /^(vectors|builtin):/.test(file) ? file : `vectors:${file}`);
  if (spec === undefined && training !== undefined)
    throw new UsageError("--arch-options: vectorTraining needs vectors=FILE, or --backbone vectors:FILE");
  return spec === undefined
    ? null
    : { spec, ...(training === undefined ? {} : { training: training as VectorTraining }) };
}

function settingOf(part: string, name: string, options: Architecture["options"]): [string, number] {
  const [, key = "", value = ""] = /^\s*(\w+)\s*=\s*(\S+)\s*$/.exec(part) ?? [];
  if (!(key in options) || !Number.isFinite(Number(value)))
    throw new UsageError(
      `--arch-options: ${JSON.stringify(part)} is not NAME=NUMBER with one of the settings of ${name}: ${Object.keys(options).join(", ")}`,
    );
  return [key, Number(value)];
}
