import { InputError } from "../errors.ts";
import { type Options, resolveSettings, type Settings } from "../options.ts";

/**
 * Settings of an architecture over their defaults. Throws an InputError as `resolveSettings` does, and for a
 * fraction where things are counted; `factors` are the settings that may be one.
 */
export function chosen<O extends Options>(
  name: string,
  options: O,
  given: Readonly<Record<string, unknown>>,
  factors: readonly (keyof O)[] = [],
): Settings<O> {
  const settings = resolveSettings(name, options, given);
  for (const [key, value] of Object.entries(settings))
    if (!factors.includes(key) && !Number.isInteger(value))
      throw new InputError(`${name}: ${key} must be a whole number, got ${value}`);
  return settings;
}
