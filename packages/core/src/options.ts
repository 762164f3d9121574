import { InputError } from "./errors.ts";

/**
 * One setting of a head, strategy, score, format or command: enough to parse it, to offer it as a form, to
 * document it.
 */
export type Option =
  | {
      readonly type: "number";
      readonly default: number | null;
      readonly min?: number;
      readonly max?: number;
      readonly about: string;
    }
  | { readonly type: "boolean"; readonly default: boolean; readonly about: string }
  | {
      readonly type: "string";
      readonly default: string | null;
      /** Whether its flag may be given several times, the values then joined by commas. */
      readonly many?: boolean;
      readonly about: string;
    }
  | {
      readonly type: "choice";
      readonly default: string;
      readonly of: readonly string[];
      readonly about: string;
    };

/** Options by name, as the field `options` of a head, strategy, score, format or command has them. */
export type Options = Readonly<Record<string, Option>>;

/** The values a set of options takes. */
export type Settings<O extends Options> = {
  readonly [K in keyof O]: O[K] extends { type: "number"; default: number }
    ? number
    : O[K] extends { type: "number" }
      ? number | null
      : O[K] extends { type: "boolean" }
        ? boolean
        : O[K] extends { type: "string"; default: string }
          ? string
          : O[K] extends { type: "choice"; of: readonly (infer C)[] }
            ? C
            : string | null;
};

/**
 * Given values over defaults, checked. Throws an InputError that names the owner, the setting, the value and what is
 * allowed; unknown names are refused.
 */
export function resolveSettings<O extends Options>(
  owner: string,
  options: O,
  given: Readonly<Record<string, unknown>> = {},
): Settings<O> {
  for (const name of Object.keys(given)) {
    if (!(name in options) && given[name] !== undefined) {
      throw new InputError(
        `${owner}: there is no setting "${name}"; it has ${Object.keys(options).join(", ") || "none"}`,
      );
    }
  }
  const resolved: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) {
    resolved[name] = given[name] === undefined ? option.default : checked(owner, name, option, given[name]);
  }
  return resolved as Settings<O>;
}

function checked(owner: string, name: string, option: Option, value: unknown): unknown {
  const refuse = (expected: string): never => {
    throw new InputError(`${owner}: ${name} must be ${expected}, got ${JSON.stringify(value)}`);
  };
  if (value === null && option.default === null) return null;
  switch (option.type) {
    case "number": {
      const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = option;
      if (typeof value !== "number" || !Number.isFinite(value)) return refuse("a finite number");
      if (value < min || value > max) return refuse(`from ${min} to ${max}`);
      return value;
    }
    case "boolean":
      return typeof value === "boolean" ? value : refuse("true or false");
    case "string":
      return typeof value === "string" ? value : refuse("text");
    case "choice":
      return option.of.includes(value as string) ? value : refuse(`one of ${option.of.join(", ")}`);
  }
}
