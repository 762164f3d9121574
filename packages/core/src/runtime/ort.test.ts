import { describe, expect, it } from "vitest";
import { sessionOptions } from "./ort.ts";

const leftOut = (options: Record<string, unknown>) =>
  (options.extra as { optimization?: Record<string, string> } | undefined)?.optimization
    ?.disable_specified_optimizers;

describe("options of a session", () => {
  it("leave out what slows models down on processors, and there alone", () => {
    expect(leftOut(sessionOptions({}, { executionProviders: ["cpu"] }))).toBe("SkipLayerNormFusion");
    expect(leftOut(sessionOptions({}, { executionProviders: ["webgpu"] }))).toBeUndefined();
    expect(leftOut(sessionOptions({ without: ["GeluFusionL1"] }, { executionProviders: ["webgpu"] }))).toBe(
      "GeluFusionL1",
    );
  });
  it("keep what is given beside it", () => {
    const extra = { session: { intra_op: { allow_spinning: "0" } }, optimization: { other: "1" } };
    const made = sessionOptions({ without: ["GeluFusionL1"] }, { executionProviders: ["wasm"], extra });
    expect(made.extra).toEqual({
      ...extra,
      optimization: { other: "1", disable_specified_optimizers: "GeluFusionL1;SkipLayerNormFusion" },
    });
  });
});
