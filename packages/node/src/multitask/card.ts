import { percent, points, pointsRange } from "../report/format.ts";
import { printable } from "../report/markup.ts";
import type { MultitaskReport } from "./page.ts";

/** The README.md of a RUN with several tasks: a model card in the hub's format. */
export function renderMultitaskCard({ metrics, modality, command }: MultitaskReport, name: string): string {
  const tasks = Object.entries(metrics.tasks);
  const isTagging = tasks.every(([, { kind }]) => kind === "tagging");
  const front = [
    "---",
    "library_name: onnx",
    `pipeline_tag: ${isTagging ? "token" : modality}-classification`,
    "tags:",
    "- graft",
    "- onnx",
    "- multi-task",
    "---",
  ];
  const rows = tasks.map(([task, one]) =>
    [
      task,
      one.measure,
      one.rows.train,
      percent(one.joint),
      one.alone === null ? "" : percent(one.alone),
      one.gain === null ? "" : `${points(one.gain.gain)} (${pointsRange(one.gain.interval)})`,
      one.kept,
    ].join(" | "),
  );
  const [first] = tasks.map(([task]) => task);
  const fence = "```";
  return [
    ...front,
    "",
    `# ${printable(name).replace(/[\\`*_{}[\]#!|<>]/g, "\\$&")}`,
    "",
    `${tasks.length} tasks over one network (${metrics.chosen.trunk}), trained together with Graft. One ONNX graph with an output for each task, from preprocessed input to class probabilities${tasks.some(([, { kind }]) => kind === "tagging") ? ", or scores of tags" : ""}.`,
    "",
    "| task | measure | training rows | joint | alone | joint − alone (95% interval) | kept |",
    "|---|---|---|---|---|---|---|",
    ...rows.map((row) => `| ${row} |`),
    "",
    "All of test rows that took no part in any choice. `report.html` has a section for each task.",
    "",
    "## Use",
    "",
    `${fence}sh`,
    `graft predict THIS_FOLDER INPUT --task ${first} --output predictions.csv`,
    "graft verify THIS_FOLDER",
    fence,
    "",
    "## To do it again",
    "",
    `${fence}sh`,
    printable(command).replaceAll(fence, "'''"),
    fence,
    "",
  ].join("\n");
}
