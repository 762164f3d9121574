import * as module from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { ort } from "../runtime/ort.ts";
import type { Runtime, Session } from "../runtime/runtime.ts";
import { float32 } from "../tensor.ts";
import { blockOf } from "./block.ts";

/** A runtime whose sessions answer with what `layout` says stands at each place. */
const pretending = (layout: (at: number) => number, device = "cpu"): Runtime => ({
  device,
  async load() {
    const session = {
      run: async () => ({
        y: float32(
          [1, 32, 1, 2],
          Array.from({ length: 64 }, (_, at) => layout(at)),
        ),
      }),
      close: async () => {},
    };
    return session as unknown as Session;
  },
  async close() {},
});
const inBlocksOf = (block: number) => (at: number) => {
  const [start, within] = [at - (at % (2 * block)), at % (2 * block)];
  return start + 2 * (within % block) + Math.floor(within / block);
};

describe("the runtime's blocks of channels", () => {
  it("are of 8 or 16, or there are none", async () => {
    expect([0, 8, 16]).toContain(await blockOf(ort(module as never)));
  });
  it.each([8, 16])("of %i are recognised", async (block) =>
    expect(await blockOf(pretending(inBlocksOf(block)))).toBe(block),
  );
  it("are not used where the layout is another, the device is, or the domain is absent", async () => {
    expect(await blockOf(pretending((at) => at))).toBe(0);
    expect(await blockOf(pretending(inBlocksOf(4)))).toBe(0);
    expect(await blockOf(pretending((at) => (at === 63 ? 0 : inBlocksOf(8)(at))))).toBe(0);
    expect(await blockOf(pretending(inBlocksOf(8), "webgpu"))).toBe(0);
    const without = { ...pretending(inBlocksOf(8)), load: () => Promise.reject(new Error("no such domain")) };
    expect(await blockOf(without)).toBe(0);
  });
});
