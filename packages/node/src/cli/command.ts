import { InputError, type Option, type Options, resolveSettings, type Settings } from "@graft-ml/core";
import type { Terminal } from "./terminal.ts";

/** The command line itself is wrong: exit code 2, and the command's usage is shown. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * A command of the program: what it is about, its operands and options, and one verb. A new one is a file here and a
 * line in `commands.ts`; its flags, their checks and its help follow from `options`.
 */
export interface Command<O extends Options = Options> {
  readonly about: string;
  /**
   * Names of the operands, in order; one ending in "?" may be left out, one ending in "…" or "…?" takes all
   * that follow.
   */
  readonly operands: readonly string[];
  readonly options: O;
  readonly example: string;
  /** Does the work and returns what `--json` prints. Text for people goes to `terminal.print`. */
  run(call: Call<O>): Promise<object>;
}

export interface Call<O extends Options> {
  readonly operands: readonly string[];
  readonly settings: Settings<O> & Settings<typeof general>;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** The arguments as they were given. */
  readonly words: readonly string[];
}

/** Options of every command. */
export const general = {
  json: {
    type: "boolean",
    default: false,
    about: "print one JSON object as the last line of standard output",
  },
  quiet: { type: "boolean", default: false, about: "no progress on standard error" },
  seed: {
    type: "number",
    default: 0,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    about: "fixes every random choice",
  },
} as const satisfies Options;

/** Types a command by its own options; the list of commands then forgets them. */
export function command<const O extends Options>(definition: Command<O>): Command {
  return definition as unknown as Command;
}

/** Parses arguments for a command: `--name value`, `--name=value`, `--flag`, `--no-flag`, `--` ends the flags. */
export function parse(name: string, definition: Command, args: readonly string[]) {
  const options: Options = { ...general, ...definition.options };
  const given: Record<string, unknown> = {};
  const operands: string[] = [];
  const rest = [...args];
  while (rest.length > 0) {
    const word = rest.shift()!;
    if (word === "--") {
      operands.push(...rest.splice(0));
    } else if (word.startsWith("--")) {
      readFlag(name, options, given, word, rest);
    } else if (/^-[a-zA-Z]/.test(word)) {
      throw new UsageError(`graft ${name}: flags have two dashes, got ${word}`);
    } else {
      operands.push(word);
    }
  }
  checkOperands(name, definition, operands);
  try {
    const settings = resolveSettings(`graft ${name}`, options, given) as Settings<typeof general>;
    return { operands, settings };
  } catch (error) {
    if (error instanceof InputError)
      throw new UsageError(error.message.replace(/: (\w+) must/, (_, key) => `: ${flag(key)} must`));
    throw error;
  }
}

/** The flag of a setting: batchSize is --batch-size. */
export function flag(setting: string): string {
  return `--${setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function readFlag(
  name: string,
  options: Options,
  given: Record<string, unknown>,
  word: string,
  rest: string[],
): void {
  const [, key = "", inline] = /^--([^=]*)(?:=(.*))?$/s.exec(word)!;
  const setting = key.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const negated = key.startsWith("no-") ? setting.slice(2, 3).toLowerCase() + setting.slice(3) : "";
  const before = options[setting];
  const isMany = before?.type === "string" && before.many === true;
  if ((setting in given && !isMany) || negated in given)
    throw new UsageError(`graft ${name}: ${word.split("=")[0]} is given twice`);
  const option = options[setting];
  if (option === undefined && options[negated]?.type === "boolean" && inline === undefined) {
    given[negated] = false;
    return;
  }
  if (option === undefined) {
    const known = Object.keys(options).map(flag);
    const near = known.filter((candidate) => distance(candidate, `--${key}`) <= 2);
    throw new UsageError(
      `graft ${name}: there is no flag --${key}${near.length > 0 ? `; did you mean ${near.join(" or ")}?` : ""}`,
    );
  }
  if (option.type === "boolean") {
    if (inline !== undefined && inline !== "true" && inline !== "false") {
      throw new UsageError(`graft ${name}: --${key} takes no value, got ${JSON.stringify(inline)}`);
    }
    given[setting] = inline !== "false";
    return;
  }
  const value = inline ?? rest.shift();
  if (value === undefined) throw new UsageError(`graft ${name}: --${key} needs a value`);
  const joined = setting in given ? `${given[setting]},${value}` : value;
  given[setting] = option.type === "number" && value.trim() !== "" ? Number(value) : joined;
}

function checkOperands(name: string, definition: Command, operands: readonly string[]): void {
  const required = definition.operands.filter((operand) => !operand.endsWith("?"));
  const many = /…\??$/.test(definition.operands.at(-1) ?? "");
  const missing = required[operands.length];
  if (missing !== undefined) throw new UsageError(`graft ${name}: ${missing.replace("…", "")} is missing`);
  if (!many && operands.length > definition.operands.length) {
    throw new UsageError(
      `graft ${name}: ${JSON.stringify(operands[definition.operands.length])} is one operand too many`,
    );
  }
}

/** The help page of a command. */
export function help(name: string, definition: Command): string {
  const operands = definition.operands.map((operand) =>
    operand.endsWith("?") ? `[${operand.slice(0, -1)}]` : operand,
  );
  const lines = (options: Options) =>
    Object.entries(options).map(([setting, option]) => helpLine(setting, option));
  return [
    `graft ${[name, ...operands].join(" ")} [flags]`,
    "",
    definition.about,
    "",
    ...(Object.keys(definition.options).length > 0 ? ["Flags", ...lines(definition.options), ""] : []),
    "General flags",
    ...lines(general),
    "",
    "Example",
    `  ${definition.example}`,
    "",
  ].join("\n");
}

function helpLine(setting: string, option: Option): string {
  const name = option.type === "boolean" && option.default ? `--no-${flag(setting).slice(2)}` : flag(setting);
  const value =
    option.type === "boolean"
      ? ""
      : option.type === "choice"
        ? ` ${option.of.join("|")}`
        : option.type === "number"
          ? " N"
          : " TEXT";
  const fallback = option.type === "boolean" || option.default === null ? "" : ` (default ${option.default})`;
  const about = name.startsWith("--no-") ? `do not ${option.about}` : option.about;
  return `  ${`${name}${value}`.padEnd(30)}  ${about}${fallback}`;
}

function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, substituted));
    }
    previous = current;
  }
  return previous[b.length]!;
}
