import { type Metrics, openRun } from "../runs/index.ts";
import { ortRuntime } from "../runtime/index.ts";
import { taskOf } from "../tagging/index.ts";
import { command } from "./command.ts";
import { dataFlags, progressOn, readData, runtimeFlags, runtimeSettings, taskFlag } from "./flags.ts";
import { warnLeftOut } from "./left-out.ts";
import { evaluateTagged } from "./tagging.ts";
import { classLines, scoreLines } from "./words.ts";

export const evaluate = command({
  about: "Scores RUN on labelled DATA: every metric with its interval, as in metrics.json.",
  operands: ["RUN", "DATA"],
  options: {
    part: {
      type: "choice",
      default: "all",
      of: ["all", "train", "val", "test"],
      about: "score only the rows of this part, where DATA has parts",
    },
    ...taskFlag,
    ...dataFlags,
    ...runtimeFlags,
  },
  example: "graft evaluate runs/photos photos/val",
  async run({ operands, settings, terminal, signal, words }) {
    const [folder, path] = operands as [string, string];
    if ((await taskOf(folder, settings.task)) === "token-classification")
      return await evaluateTagged(folder, path, settings, { terminal, signal, words });
    const begin = performance.now();
    const runtime = await ortRuntime({ ...runtimeSettings(settings), throughput: true });
    try {
      const run = await openRun(folder, { runtime, task: settings.task });
      const whole = await readData(path, settings, { signal });
      const rows =
        settings.part === "all" ? whole.rows : whole.rows.filter(({ split }) => split === settings.part);
      const { scores, labels, skipped } = await run.evaluate(
        { ...whole, rows },
        {
          seed: settings.seed,
          onError: settings.onError,
          onProgress: (done, total) => progressOn(terminal)("evaluate", done, total),
          signal,
        },
      );
      warnLeftOut(terminal, [...whole.skipped, ...skipped]);
      for (const line of [...scoreLines(scores), "", ...classLines(scores)]) terminal.print(line);
      const { config } = run;
      const most = config.trainingCounts.indexOf(Math.max(...config.trainingCounts));
      const totalSeconds = (performance.now() - begin) / 1000;
      const metrics: Metrics = {
        task: config.task,
        classes: run.classes,
        test: scores,
        baselines: {
          majority: labels.filter((label) => label === most).length / labels.length,
          raw: null,
          scratch: null,
        },
        transfer: null,
        chosen: {
          backbone: config.backbone.spec,
          sha256: config.backbone.sha256,
          layer: config.layer === "" ? config.backbone.name : config.layer,
          head: config.head,
          method: config.method,
        },
        timing: {
          extractSeconds: totalSeconds,
          fitSeconds: 0,
          totalSeconds,
          itemsPerSecond: labels.length / totalSeconds,
        },
      };
      return metrics;
    } finally {
      await runtime.close();
    }
  },
});
