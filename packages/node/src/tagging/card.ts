import type { Interval } from "@graft-ml/core";
import type { TaggingReport } from "./report.ts";

/** The model card of a tagger. */
export function cardOf(report: TaggingReport, name: string): string {
  const { metrics, counts } = report;
  const { test } = metrics;
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
  const range = ([low, high]: Interval) => `${(100 * low).toFixed(2)}–${(100 * high).toFixed(2)} %`;
  const rows = [
    ["accuracy by token", percent(test.accuracy), range(test.accuracyInterval)],
    ...(test.spans === null
      ? []
      : [["F1 of spans (conlleval)", percent(test.spans.f1), range(test.spans.interval)]]),
    ...(test.unseen === null
      ? []
      : [["accuracy on unseen tokens", percent(test.unseen.accuracy), range(test.unseen.interval)]]),
  ];
  return `---
library_name: onnx
pipeline_tag: token-classification
tags:
- graft
- onnx
---

# ${name}

A tagger trained with Graft on ${report.title}: ${counts.train} training sentences, ${counts.held} held out to choose by,
${counts.test} tested.

| score | value | 95 % interval |
| --- | --- | --- |
${rows.map((row) => `| ${row.join(" | ")} |`).join("\n")}

Tags: ${metrics.classes.map((tag) => `\`${tag.replaceAll("`", "'")}\``).join(", ")}.

\`graft predict ${name} text.conll\` tags a file, \`graft verify ${name}\` replays its golden sentences.
`;
}
