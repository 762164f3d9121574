import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";

const golden = JSON.parse(
  readFileSync(new URL("../../../../test/golden/training.json", import.meta.url), "utf8"),
).safetensors;
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "base64"));

/** A file around a header, with `size` bytes of data. */
function file(header: unknown, size = 0): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + size);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}
const one = (begin: number, end: number, shape = [1]) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

describe("safetensors", () => {
  it("reads what the reference implementation wrote, and writes the same bytes", () => {
    for (const [name, metadata] of [
      ["plain", {}],
      ["metadata", { format: "pt" }],
    ] as const) {
      const bytes = bytesOf(golden[name]);
      const read = readSafetensors(bytes);
      expect(read.metadata).toEqual(metadata);
      expect([...writeSafetensors(read.tensors, read.metadata)]).toEqual([...bytes]);
    }
    const { tensors } = readSafetensors(bytesOf(golden.plain));
    expect(tensors.get("b.weight")).toEqual({
      dtype: "float32",
      shape: [2, 3],
      data: Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25),
    });
    expect(tensors.get("10")!.data).toEqual(BigInt64Array.of(7n, -8n));
    expect(tensors.get("é")!.data).toEqual(Uint8Array.of(1, 0, 1));
    expect(tensors.get("c.scalar")).toMatchObject({ shape: [], data: Float64Array.of(2.5) });
    expect(tensors.get("c.empty")!.shape).toEqual([0, 3]);
  });

  it("gives back what was written, whatever the names and numbers", () => {
    const tensor = fc.oneof(
      fc.float32Array().map((data): Tensor => ({ dtype: "float32", shape: [data.length], data })),
      fc.uint8Array().map((data): Tensor => ({ dtype: "uint8", shape: [1, data.length], data })),
      fc.bigInt64Array().map((data): Tensor => ({ dtype: "int64", shape: [data.length, 1], data })),
    );
    const name = fc.string({ unit: "grapheme" }).filter((text) => text !== "__metadata__");
    fc.assert(
      fc.property(fc.array(fc.tuple(name, tensor)), fc.dictionary(name, fc.string()), (entries, metadata) => {
        const tensors = new Map(entries);
        const read = readSafetensors(writeSafetensors(tensors, metadata));
        expect(new Map([...read.tensors].sort())).toEqual(new Map([...tensors].sort()));
        expect(read.metadata).toEqual({ ...metadata });
      }),
      { seed: 1 },
    );
  });

  it.each([
    ["shorter than its first field", Uint8Array.of(1, 0, 0)],
    ["a header beyond the file", Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127, 123)],
    ["no JSON", file("{nonsense")],
    ["a list", file([1])],
    ["space before the object", file(" {}")],
    ["metadata that are no text", file({ __metadata__: { a: 1 } })],
    ["an unknown type", file({ a: { dtype: "constructor", shape: [], data_offsets: [0, 0] } })],
    ["a shape that is negative", file({ a: one(0, 4, [-1]) }, 4)],
    ["a shape that overflows", file({ a: one(0, 4, [2 ** 52, 2 ** 52]) }, 4)],
    ["offsets beyond the data", file({ a: one(0, 8, [2]) }, 4)],
    ["offsets that run back", file({ a: one(4, 0) }, 4)],
    ["two tensors in one place", file({ a: one(0, 4), b: one(0, 4) }, 4)],
    ["a hole", file({ a: one(0, 4), b: one(8, 12) }, 12)],
    ["bytes behind the end", file({ a: one(0, 4) }, 5)],
    ["no tensors, but data", file({}, 1)],
  ])("refuses %s", (_, bytes) => {
    expect(() => readSafetensors(bytes, "x.safetensors")).toThrow(InputError);
    expect(() => readSafetensors(bytes, "x.safetensors")).toThrow(/^x\.safetensors/);
  });

  it("ends in a result or an InputError, whatever is flipped in a file", () => {
    const bytes = bytesOf(golden.plain);
    const flip = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(flip, fc.nat(bytes.length), (changes, length) => {
        const broken = bytes.slice(0, length);
        for (const [at, value] of changes) if (at < length) broken[at] = value;
        try {
          readSafetensors(broken);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
      { seed: 2, numRuns: 1000 },
    );
  });
});
