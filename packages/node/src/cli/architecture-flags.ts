import { type Architecture, architectures, type Settings } from "@graft-ml/core";
import { type ArchitectureChoice, architectureOf } from "../sources/index.ts";
import { UsageError } from "./command.ts";

/** Flags of commands that train a network from nothing. */
export const architectureFlags = {
  archOptions: {
    type: "string",
    default: null,
    about: "settings of the architecture, as in width=16,depth=1; docs/pretraining.md lists them",
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
  more: Pick<ArchitectureChoice, "init" | "allowMissing"> = {},
): ArchitectureChoice {
  const { options } = architectureOf(name);
  const settings = Object.fromEntries(
    (archOptions === null ? [] : archOptions.split(",")).map((part) => [...settingOf(part, name, options)]),
  );
  if (imageSize !== null && !("size" in options))
    throw new UsageError(`--image-size: ${name} takes no images; leave it out`);
  return { name, settings: { ...settings, ...(imageSize === null ? {} : { size: imageSize }) }, ...more };
}

function settingOf(part: string, name: string, options: Architecture["options"]): [string, number] {
  const [, key = "", value = ""] = /^\s*(\w+)\s*=\s*(\S+)\s*$/.exec(part) ?? [];
  if (!(key in options) || !Number.isFinite(Number(value)))
    throw new UsageError(
      `--arch-options: ${JSON.stringify(part)} is not NAME=NUMBER with one of the settings of ${name}: ${Object.keys(options).join(", ")}`,
    );
  return [key, Number(value)];
}
