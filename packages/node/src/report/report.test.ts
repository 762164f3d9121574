import { scoresOf, transferVerdict } from "@graft-ml/core";
import { describe, expect, test } from "vitest";
import type { ReportData } from "./data.ts";
import { renderModelCard, renderReport } from "./index.ts";

/** A class name and a text as a hostile table might bring them. */
const HOSTILE = `<script>alert(1)</script>"'&`;
const labels = [0, 0, 0, 0, 1, 1, 1, 1];
const probabilities = {
  rows: 8,
  columns: 2,
  data: Float64Array.from(labels.flatMap((label) => [1 - 0.8 * label, 0.8 * label])),
};

function data(changes: Partial<ReportData> = {}): ReportData {
  const baselines = { majority: labels.map(() => 0) };
  return {
    version: 1,
    title: HOSTILE,
    task: "text-classification",
    classes: ["plain", HOSTILE],
    counts: { train: 10, val: 0, test: 8 },
    test: scoresOf(probabilities, labels, ["plain", HOSTILE], { seed: 0, replicates: 50 }),
    baselines: [{ name: "majority", about: "always the commonest", accuracy: 0.5, interval: null }],
    transfer: transferVerdict({ labels, ours: labels, baselines, seed: 0 }),
    crossValidation: null,
    chosen: { backbone: "net.onnx", head: "logistic", method: "probe" },
    selection: null,
    curves: [],
    errors: [
      {
        where: "rows.csv:3",
        label: "plain",
        predicted: HOSTILE,
        confidence: 0.9,
        labelProbability: 0.1,
        image: null,
        text: HOSTILE,
      },
    ],
    map: null,
    findings: [],
    timing: { totalSeconds: 1 },
    command: `graft train ${HOSTILE}`,
    versions: { graft: "0" },
    notes: [HOSTILE],
    ...changes,
  };
}

describe("the report page", () => {
  test("stands alone and runs nothing, whatever names and texts the data bring", () => {
    const page = renderReport(data());
    expect(page).not.toMatch(/<script|<iframe|\son\w+=|javascript:/i);
    expect(page).not.toMatch(/(src|href)="(?!data:|#)/);
    expect(page.split("&lt;script&gt;").length).toBeGreaterThan(5);
  });

  test("takes no picture that is not a small raster image inside the page", () => {
    const [error] = data().errors;
    for (const image of ["https://example.org/a.png", "data:image/svg+xml,<svg onload=alert(1)>"])
      expect(() => renderReport(data({ errors: [{ ...error!, image }] }))).toThrow(/data:/);
  });

  test("has a section for what was done and none for what was not", () => {
    const without = renderReport(data({ errors: [] }));
    expect(renderReport(data())).toContain("Surest errors");
    expect(without).not.toContain("Surest errors");
    expect(without).not.toContain("Map of the test features");
  });

  test("judges transfer where there was some, and says so where there was none", () => {
    expect(renderReport(data())).toMatch(/transfer (helps|unproven|hurts)/);
    for (const method of ["probe", "scratch"]) {
      const chosen = { backbone: "none", head: "logistic", method };
      const page = renderReport(data({ chosen }));
      expect(page).toContain("Nothing was transferred");
      expect(page).not.toMatch(/transfer (helps|unproven|hurts)/);
    }
    expect(renderReport(data({ transfer: null }))).toContain("No baseline was trained");
  });
});

test("the model card has the same sentences, and nothing of the data ends its front matter", () => {
  const card = renderModelCard(data({ title: "a\n---\nb" }), { name: HOSTILE });
  const [, front, ...rest] = card.split(/^---$/m);
  expect(front).toContain("library_name: onnx");
  expect(rest.join("")).toContain("8 of 8 test texts are right");
  // Within code it is text.
  expect(rest.join("").replace(/(`+)[^`].*?\1/gs, "")).not.toContain("<script>");
});
