import { type MultitaskMetrics, multitaskRun, type TaskMetrics } from "../multitask/index.ts";
import { pointsRange } from "../report/format.ts";
import { commandLine } from "../runs/report-of.ts";
import { command, UsageError } from "./command.ts";
import { progressOn, runtimeFlags, runtimeSettings } from "./flags.ts";
import type { Terminal } from "./terminal.ts";
import { percent } from "./words.ts";

export const multitask = command({
  about:
    "Trains the tasks of TASKS.json over one shared network and writes RUN: an output a task, and what company was worth to each. docs/multitask.md has the format.",
  operands: ["TASKS.json"],
  options: {
    output: { type: "string", default: null, about: "RUN, the folder to write (required)" },
    baselines: { type: "boolean", default: true, about: "train each task alone, too, to compare" },
    safe: {
      type: "boolean",
      default: false,
      about: "keep for each task the network, joint or alone, that is not worse on held-out rows",
    },
    affinity: {
      type: "boolean",
      default: false,
      about: "look in a short joint run which tasks help each other, and propose groups",
    },
    split: { type: "boolean", default: false, about: "write one model file a task in place of one for all" },
    ...runtimeFlags,
  },
  example: "graft multitask tasks.json --output runs/tasks --affinity",
  async run({ operands, settings, terminal, signal, words }) {
    const { output, baselines, safe, affinity, split } = settings;
    if (output === null)
      throw new UsageError("graft multitask: --output is missing; name the folder to write");
    if (safe && !baselines)
      throw new UsageError(
        "graft multitask: --safe compares with training alone, which --no-baselines leaves out",
      );
    const [path] = operands as [string];
    const { metrics } = await multitaskRun(path, {
      output,
      seed: settings.seed,
      ...{ baselines, safe, affinity, split },
      ...runtimeSettings(settings),
      command: commandLine(["graft", "multitask", ...words]),
      onNote: (note) => terminal.print(`note: ${note}`),
      onProgress: progressOn(terminal),
      signal,
    });
    printTasks(terminal, metrics);
    terminal.print();
    terminal.print(
      `graft predict ${output} INPUT --task ${Object.keys(metrics.tasks)[0]}; ${output}/report.html shows it all`,
    );
    return metrics;
  },
});

/** A line a task: the joint network, the task alone, and what is between them. */
export function printTasks(terminal: Terminal, metrics: MultitaskMetrics): void {
  const names = Object.keys(metrics.tasks);
  const width = Math.max(4, ...names.map((name) => name.length));
  terminal.print();
  terminal.print(`${"task".padEnd(width)}     joint     alone  joint − alone, 95 % interval`);
  for (const [name, one] of Object.entries(metrics.tasks))
    terminal.print(
      `${name.padEnd(width)}  ${percent(one.joint).padStart(8)}  ${(one.alone === null ? "" : percent(one.alone)).padStart(8)}  ${
        one.gain === null
          ? "not trained alone"
          : `${one.gain.gain < 0 ? "−" : "+"}${Math.abs(100 * one.gain.gain).toFixed(1)} points (${pointsRange(one.gain.interval)}): ${one.gain.verdict}${before(one)}`
      }${one.kept === "alone" ? "; alone is kept" : ""}`,
    );
  if (metrics.deltaP !== null)
    terminal.print(
      `mean relative gain ${metrics.deltaP < 0 ? "−" : "+"}${Math.abs(metrics.deltaP).toFixed(2)} %`,
    );
  if (metrics.affinity !== null)
    terminal.print(
      `tasks that help each other: ${metrics.affinity.groups.map((group) => group.join(" + ")).join("; ")}`,
    );
}

/** Of a task that is kept: that it is compared with the earlier tagger, and what would have been lost. */
function before({ gain, unkept }: TaskMetrics): string {
  if (gain?.against !== "before") return "";
  return `, against the earlier tagger${unkept === null ? "" : `; without keeping it would be ${percent(unkept)}`}`;
}
