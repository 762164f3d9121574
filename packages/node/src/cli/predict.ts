import { stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import { InputError, type Row } from "@graft-ml/core";
import { writeWhole } from "../runs/folder.ts";
import { csvOf, openRun, predictionForm } from "../runs/index.ts";
import { ortRuntime } from "../runtime/index.ts";
import { taskOf } from "../tagging/index.ts";
import { command } from "./command.ts";
import { dataFlags, progressOn, readData, runtimeFlags, runtimeSettings, taskFlag } from "./flags.ts";
import { warnLeftOut } from "./left-out.ts";
import { standardInputLines } from "./standard-input.ts";
import { predictTagged } from "./tagging.ts";

const { test: _, classes: __, ...inputFlags } = dataFlags;

export const predict = command({
  about:
    "Predicts labels with calibrated probabilities for INPUT: a photo, a folder of photos, a table, or - for texts from standard input, one a line.",
  operands: ["RUN", "INPUT"],
  options: {
    output: {
      type: "string",
      default: null,
      about: "file for the predictions, .csv or .jsonl (default: CSV on standard output)",
    },
    ...taskFlag,
    ...inputFlags,
    ...runtimeFlags,
  },
  example: "graft predict runs/photos new-photos/ --output predictions.csv",
  async run({ operands, settings, terminal, signal, words }) {
    const [folder, input] = operands as [string, string];
    if ((await taskOf(folder, settings.task)) === "token-classification")
      return await predictTagged(folder, input, settings, { terminal, signal, words });
    const form = settings.output === null ? csvOf : predictionForm(settings.output);
    const runtime = await ortRuntime({ ...runtimeSettings(settings), throughput: true });
    try {
      const run = await openRun(folder, { runtime, task: settings.task });
      const { rows, skipped: unread } = await rowsOf(input, settings, signal);
      const { predictions, skipped } = await run.predict(rows, {
        onError: settings.onError,
        onProgress: (done, total) => progressOn(terminal)("predict", done, total),
        signal,
      });
      const text = form(predictions, run.classes);
      if (settings.output === null) terminal.print(text.trimEnd());
      else await writeWhole(settings.output, text);
      const left = [...unread, ...skipped];
      warnLeftOut(terminal, left);
      if (settings.output !== null) terminal.print(`${predictions.length} predictions in ${settings.output}`);
      return {
        rows: predictions.length,
        skipped: left.length,
        output: settings.output,
        predictions: settings.output === null ? predictions : undefined,
      };
    } finally {
      await runtime.close();
    }
  },
});

const IMAGE = /^\.(jpe?g|png|webp|gif|avif|tiff?|bmp)$/i;

async function rowsOf(
  input: string,
  settings: Parameters<typeof readData>[1] extends infer S ? Omit<S, "test" | "classes"> : never,
  signal: AbortSignal,
): Promise<{ rows: readonly Row[]; skipped: readonly string[] }> {
  if (input === "-") {
    const texts = await standardInputLines();
    const rows = texts.map((text, i) => row(`standard input line ${i + 1}`, { kind: "text", text }));
    return { rows, skipped: [] };
  }
  if (IMAGE.test(extname(input))) {
    const entry = await stat(input).catch(() => null);
    if (entry === null) throw new InputError(`${input}: there is no such file; check the path`);
    if (entry.isFile()) return { rows: [row(basename(input), { kind: "image", path: input })], skipped: [] };
  }
  return await readData(input, { ...settings, test: null, classes: null }, { labels: "optional", signal });
}

function row(where: string, input: Row["input"]): Row {
  return { where, input, label: null, split: null, group: null, weight: 1 };
}
