import { join, resolve } from "node:path";
import type { Settings } from "@graft-ml/core";
import { type MultitaskMetrics, multitaskRun, tasksFile } from "../multitask/index.ts";
import { commandLine } from "../runs/report-of.ts";
import { firstTagging, readTaggerConfig } from "../tagging/index.ts";
import { type Call, UsageError } from "./command.ts";
import { dataFlags, progressOn, type runtimeFlags, runtimeSettings } from "./flags.ts";
import { printTasks } from "./multitask.ts";

/** What `graft train` says that concerns keeping earlier tags. */
type KeepingFlags = Settings<typeof dataFlags> &
  Settings<typeof runtimeFlags> & {
    readonly backbone: string;
    readonly head: string;
    readonly keep: string;
    readonly earlier: string | null;
    readonly earlierColumn: string | null;
    readonly epochs: number | null;
    readonly learningRate: number | null;
    readonly baselines: boolean;
    readonly testFraction: number;
    readonly seed: number;
  };

/**
 * A tagger goes on to other tags and keeps those it has: a run with two tasks, `new` and `earlier`. So it is
 * compared with learning the new tags alone, and what was forgotten of the earlier ones is measured.
 */
export async function trainKeeping(
  data: string,
  output: string,
  settings: KeepingFlags,
  { terminal, signal, words }: Pick<Call<Record<never, never>>, "terminal" | "signal" | "words">,
): Promise<MultitaskMetrics> {
  const { backbone, keep, earlier, epochs, learningRate } = settings;
  if (!backbone.startsWith("run:"))
    throw new UsageError(
      `graft train: --keep ${keep} keeps the tags of a tagger; name it with --backbone run:DIR`,
    );
  const folder = backbone.slice("run:".length);
  const before = await readTaggerConfig(folder, await firstTagging(folder));
  const given = Object.entries(settings).filter(([name, value]) => name in dataFlags && value !== null);
  const reading = Object.fromEntries(given.map(([name, value]) => [name, value]));
  const file = tasksFile(
    {
      trunk: { backbone: `run:${resolve(folder)}` },
      training: { ...(epochs !== null && { epochs }), ...(learningRate !== null && { learningRate }) },
      tasks: {
        new: {
          ...{ kind: "tagging", data, head: settings.head, testFraction: settings.testFraction },
          ...reading,
        },
        earlier: {
          ...{ kind: "keep", by: keep },
          ...(earlier !== null && { data: earlier }),
          column: settings.earlierColumn ?? before.config.column,
        },
      },
    },
    join(process.cwd(), "graft train --keep"),
  );
  const { metrics } = await multitaskRun(file, {
    output,
    ...{ seed: settings.seed, baselines: settings.baselines },
    ...runtimeSettings(settings),
    command: commandLine(["graft", "train", ...words]),
    onNote: (note) => terminal.print(`note: ${note}`),
    onProgress: progressOn(terminal),
    signal,
  });
  printTasks(terminal, metrics);
  terminal.print();
  terminal.print(`graft predict ${output} INPUT --task new; ${output}/report.html shows it all`);
  return metrics;
}
