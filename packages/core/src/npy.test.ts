import { expect, test } from "vitest";
import { readNpy, writeNpy } from "./npy.ts";
import { float32 } from "./tensor.ts";

test("what is written is read again, and laid out as NumPy lays it out", () => {
  const tensor = float32([2, 3], [1, -0, 2.5, Number.NaN, 5, 1e-40]);
  const bytes = writeNpy(tensor);
  expect(readNpy(bytes, "a.npy")).toEqual(tensor);
  // numpy.save of the same array: header of 128 bytes, then the elements.
  expect(bytes.length).toBe(128 + 24);
  expect(String.fromCharCode(...bytes.subarray(10, 70))).toBe(
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } ".slice(0, 60),
  );
  expect(readNpy(writeNpy(float32([4], [1, 2, 3, 4])), "b.npy").shape).toEqual([4]);
});

test("a file that is cut, too long or no .npy file is refused by name", () => {
  const bytes = writeNpy(float32([2, 3], [1, 2, 3, 4, 5, 6]));
  for (let length = 0; length < bytes.length; length += 5)
    expect(() => readNpy(bytes.subarray(0, length), "a.npy")).toThrow(/a\.npy/);
  expect(() => readNpy(Uint8Array.of(...bytes, 0), "a.npy")).toThrow(
    /153 bytes where its header speaks of 152/,
  );
});
