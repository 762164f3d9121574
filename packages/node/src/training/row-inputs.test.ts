import { augmentation, InputError, random, splitFrozen, writeModel } from "@graft-ml/core";
import { describe, expect, test } from "vitest";
import { network, pictures, runtime, stripes } from "../../../../test/fine-tuning.ts";
import { decodedInputs, frozenInputs } from "./index.ts";

describe("inputs of rows", () => {
  const rows = pictures(0, 11);
  const common = { rows, preprocessor: stripes, augmentation: null, random: random(1) };
  const parts = splitFrozen(network(), ["block.2.weight"]);
  const frozen = (more: object = {}) =>
    frozenInputs({
      ...common,
      lower: parts.lower!,
      inputs: parts.cuts,
      runtime,
      views: 3,
      batchSize: 4,
      ...more,
    });

  test("of a frozen part are what it computes, whatever rows are asked for together", async () => {
    const inputs = await frozen();
    const session = await runtime.load(writeModel(parts.lower!));
    const [cut] = parts.cuts as [string];
    const all = (await inputs.feeds(Int32Array.of(7, 0, 10), 5))[cut]!;
    const size = all.data.length / 3;
    for (const [place, i] of [7, 0, 10].entries()) {
      const alone = (await inputs.feeds(Int32Array.of(i), null))[cut]!.data as Float32Array;
      expect((all.data as Float32Array).slice(place * size, (place + 1) * size)).toEqual(alone);
      const direct = (await session.run(await stripes.prepare([rows[i]!.input])))[cut]!.data as Float32Array;
      for (const [k, value] of direct.entries()) expect(alone[k]).toBeCloseTo(value, 5);
    }
    expect(inputs.bytes).toBe(11 * size * 4);
    await session.close();
  });

  test("augmented: the same of the same seed, epoch and row; plain where nothing is to be changed", async () => {
    const changing = { augmentation: augmentation({ flip: true }) };
    const plain = await decodedInputs(common).feeds(Int32Array.of(3), null);
    const inputs = decodedInputs({ ...common, ...changing });
    expect(await inputs.feeds(Int32Array.of(3), null)).toEqual(plain);
    const one = (await inputs.feeds(Int32Array.of(3), 2)).x!.data as Float32Array;
    const two = (await inputs.feeds(Int32Array.of(5, 3), 2)).x!.data as Float32Array;
    expect(two.slice(64)).toEqual(one);
    expect((await inputs.feeds(Int32Array.of(3), 3)).x!.data).not.toEqual(one);
    const kept = await frozen(changing);
    const seen = new Set<string>();
    for (let epoch = 0; epoch < 20; epoch++)
      seen.add(String(Object.values(await kept.feeds(Int32Array.of(3), epoch))[0]!.data));
    expect(seen.size).toBe(3);
  });

  test("beyond what may be kept are refused before they are all computed", async () => {
    let done = 0;
    const limit = { limit: 1000, onProgress: (now: number) => void (done = now) };
    await expect(frozen(limit)).rejects.toThrow(InputError);
    expect(done).toBeLessThan(11);
  });
});
