import { OBJECTIVES, type PretrainRunOptions, pretrainOptions, pretrainRun } from "../pretrain/index.ts";
import { commandLine } from "../runs/report-of.ts";
import { architectureChoice, architectureFlags, architectureNames } from "./architecture-flags.ts";
import { command, UsageError } from "./command.ts";
import { dataFlags, progressOn, readData, runtimeFlags, runtimeSettings } from "./flags.ts";
import { scoreLines } from "./words.ts";

export const pretrain = command({
  about: "Trains a network on DATA from nothing and writes RUN, to be used as --backbone run:RUN.",
  operands: ["DATA"],
  options: {
    output: { type: "string", default: null, about: "RUN, the folder to write (required)" },
    arch: { type: "string", default: null, about: `the network (required): ${architectureNames}` },
    ...architectureFlags,
    objective: {
      type: "choice",
      default: "supervised",
      of: OBJECTIVES,
      about: "what is learnt: the labels, or without labels images from their features, or hidden tokens",
    },
    init: {
      type: "string",
      default: null,
      about: "weights to start from: a RUN folder, an .onnx or a .safetensors file",
    },
    allowMissing: {
      type: "string",
      default: null,
      about: "parameters --init need not have: patterns with * and **, commas between",
    },
    ...pretrainOptions,
    maxLength: { type: "number", default: null, min: 1, about: "tokens a text is cut to (default 128)" },
    testFraction: {
      type: "number",
      default: null,
      min: 0.01,
      max: 0.9,
      about: "share of the rows held out where the data bring no test part (0.2, unlabelled 0.1)",
    },
    baselines: {
      type: "boolean",
      default: true,
      about: "with supervised, compare with models that transfer nothing",
    },
    ...dataFlags,
    ...runtimeFlags,
  },
  example: "graft pretrain photos/ --arch resnet-small --output runs/source --flip --crop 0.5",
  async run({ operands, settings, terminal, signal, words }) {
    const { output, arch, objective, init, allowMissing, testFraction } = settings;
    if (output === null)
      throw new UsageError("graft pretrain: --output is missing; name the folder to write");
    if (arch === null)
      throw new UsageError(`graft pretrain: --arch is missing; name one of ${architectureNames}`);
    if (allowMissing !== null && init === null)
      throw new UsageError("graft pretrain: --allow-missing is of --init, which is missing");
    const architecture = architectureChoice(arch, settings, {
      init,
      allowMissing: allowMissing === null ? [] : allowMissing.split(",").map((one) => one.trim()),
    });
    const [path] = operands as [string];
    const dataset = await readData(path, settings, {
      signal,
      labels: objective === "supervised" ? "required" : "optional",
    });
    for (const note of dataset.notes ?? []) terminal.print(`note: ${note}`);
    const { metrics, notes } = await pretrainRun(dataset, {
      output,
      architecture,
      objective: objective as NonNullable<PretrainRunOptions["objective"]>,
      settings: Object.fromEntries(
        Object.keys(pretrainOptions).map((name) => [name, settings[name as keyof typeof pretrainOptions]]),
      ),
      seed: settings.seed,
      maxLength: settings.maxLength,
      ...(testFraction === null ? {} : { testFraction }),
      baselines: settings.baselines,
      onError: settings.onError,
      ...runtimeSettings(settings),
      command: commandLine(["graft", "pretrain", ...words]),
      onProgress: progressOn(terminal),
      signal,
    });
    for (const note of notes) terminal.print(`note: ${note}`);
    terminal.print();
    if ("objective" in metrics) {
      const { heldOut, measure } = metrics;
      terminal.print(`${measure}: ${metrics.losses.at(-1)!.toPrecision(4)} in the last epoch`);
      if (heldOut !== null)
        terminal.print(
          `on ${metrics.rows.heldOut} held-out rows ${heldOut.end.toPrecision(4)}; before training ${heldOut.start.toPrecision(4)}, of a guess without looking ${heldOut.baseline.toPrecision(4)}`,
        );
    } else for (const line of scoreLines(metrics.test)) terminal.print(line);
    terminal.print();
    terminal.print(`use it as --backbone run:${output}; ${output}/report.html shows it all`);
    return metrics;
  },
});
