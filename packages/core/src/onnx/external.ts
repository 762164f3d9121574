import { InputError } from "../errors.ts";

/** Files beside the model that hold tensors, by their location as the model names it. */
export type ExternalData = Readonly<Record<string, Uint8Array>>;

/** A piece of an external file. A null length reaches to the end of what the tensor needs. */
export interface ExternalPart {
  readonly location: string;
  readonly offset: number;
  readonly length: number | null;
}

/** What TensorProto.external_data says. Refuses locations that leave the model's folder. */
export function parseExternal(entries: ReadonlyMap<string, string>, what: string): ExternalPart {
  const location = entries.get("location");
  if (!location) throw new InputError(`${what} lies in an external file, but its location is not given`);
  requireInside(location, what);
  return {
    location,
    offset: wholeNumber(entries.get("offset"), "offset", what) ?? 0,
    length: wholeNumber(entries.get("length"), "length", what),
  };
}

/** The bytes of a tensor in its external file, as a view; `expected` is what its type and shape need. */
export function externalBytes(
  files: ExternalData,
  part: ExternalPart,
  expected: number,
  what: string,
): Uint8Array {
  const { location, offset, length } = part;
  if (!Object.hasOwn(files, location))
    throw new InputError(
      `${what} lies in "${location}", which was not given; put that file beside the model`,
    );
  const file = files[location]!;
  if (length !== null && length !== expected)
    throw new InputError(`${what} needs ${expected} bytes, but claims ${length} bytes of "${location}"`);
  if (offset > file.length || expected > file.length - offset)
    throw new InputError(
      `${what} lies at bytes ${offset} to ${offset + expected} of "${location}", which has ${file.length}; the file is cut off or another model's`,
    );
  return file.subarray(offset, offset + expected);
}

/** Refuses absolute paths, drive letters, backslashes, control characters and steps out of the folder. */
function requireInside(location: string, what: string): void {
  const steps = location.split("/");
  const outside =
    location.startsWith("/") ||
    /^[a-zA-Z]:/.test(location) ||
    location.includes("\\") ||
    [...location].some((character) => character < " ") ||
    steps.includes("..");
  if (outside)
    throw new InputError(
      `${what} refers to the file ${JSON.stringify(location)}; only files in the model's own folder are read`,
    );
}

function wholeNumber(text: string | undefined, key: string, what: string): number | null {
  if (text === undefined || text === "") return null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InputError(
      `${what}: the ${key} of its external data is ${JSON.stringify(text)}, not a whole number`,
    );
  return value;
}
