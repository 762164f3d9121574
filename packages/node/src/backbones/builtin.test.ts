import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readModel } from "@graft-ml/core";
import { expect, test } from "vitest";
import { builtinFolder, builtinNames } from "./builtin.ts";
import { resolveBackbone } from "./resolve.ts";

test("builtin:image is a network for small images, at most 3 MB, without a head", async () => {
  expect(builtinNames()).toContain("image");
  expect((await stat(join(builtinFolder("image"), "model.onnx"))).size).toBeLessThan(3 * 2 ** 20);
  const backbone = await resolveBackbone("builtin:image");
  expect(backbone).toMatchObject({ name: "builtin:image", modality: "image", commit: null });
  const { inputs, outputs } = readModel(backbone.model!).graph;
  expect(inputs.map(({ name, shape }) => [name, shape?.slice(1)])).toEqual([["pixel_values", [3, 32, 32]]]);
  expect(outputs).toHaveLength(1);
});
