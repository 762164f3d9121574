import { InputError } from "@graft-ml/core";
import { VERSION } from "../version.ts";
import { type Command, general, help, parse, UsageError } from "./command.ts";
import * as commands from "./commands.ts";
import { type Streams, terminal } from "./terminal.ts";

const standard: Streams = { out: process.stdout, err: process.stderr, now: () => performance.now() };

/**
 * Runs one command; returns the exit code: 0 done, 1 the input or the model is at fault, 2 wrong usage, 130
 * stopped.
 */
export async function main(argv: readonly string[], streams: Streams = standard): Promise<number> {
  const [name, ...args] = argv;
  const table: Record<string, Command> = commands;
  if (name === "--version") {
    streams.out.write(`${VERSION}\n`);
    return 0;
  }
  if (name === undefined || name === "help" || name === "--help") {
    streams.out.write(overview(table));
    return name === undefined ? 2 : 0;
  }
  const definition = Object.hasOwn(table, name) ? table[name] : undefined;
  if (definition === undefined) {
    streams.err.write(
      `graft: there is no command ${JSON.stringify(name)}; there are ${Object.keys(table).join(", ")}\n`,
    );
    return 2;
  }
  const flags = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  if (flags.includes("--help")) {
    streams.out.write(help(name, definition));
    return 0;
  }
  return await execute(name, definition, args, streams);
}

async function execute(
  name: string,
  definition: Command,
  args: readonly string[],
  streams: Streams,
): Promise<number> {
  const stop = new AbortController();
  const interrupt = () => {
    if (stop.signal.aborted) process.exit(130);
    streams.err.write("\nstopping; once more to stop at once\n");
    stop.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    const { operands, settings } = parse(name, definition, args);
    const speaking = terminal(settings, streams);
    const result = await definition.run({
      operands,
      settings,
      terminal: speaking,
      signal: stop.signal,
      words: args,
    });
    if (settings.json) streams.out.write(`${JSON.stringify(result)}\n`);
    return "exitCode" in result && typeof result.exitCode === "number" ? result.exitCode : 0;
  } catch (error) {
    if (stop.signal.aborted) {
      streams.err.write("stopped; the same command goes on from here\n");
      return 130;
    }
    if (error instanceof UsageError) {
      streams.err.write(`${error.message}\nSee graft ${name} --help.\n`);
      return 2;
    }
    if (error instanceof InputError) {
      streams.err.write(`error: ${error.message}\n`);
      return 1;
    }
    throw error;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

function overview(table: Record<string, Command>): string {
  const lines = Object.entries(table).map(
    ([name, { about }]) => `  ${name.padEnd(10)} ${about.split(/[.;:](?=\s|$)/)[0]}`,
  );
  return [
    "graft: from a pretrained network and a few labels to a proven model",
    "",
    ...lines,
    "",
    `Every command has --help and the flags ${Object.keys(general)
      .map((flag) => `--${flag}`)
      .join(", ")}.`,
    "Example",
    "  graft train photos/ --backbone models/mobilenet_v2 --output runs/photos",
    "",
  ].join("\n");
}
