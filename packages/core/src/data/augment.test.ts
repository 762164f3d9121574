import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { random } from "../random.ts";
import { float32 } from "../tensor.ts";
import { type AugmentOptions, augmentation, mixup } from "./augment.ts";
import * as pixels from "./pixels.ts";

const image = (seed: number, width = 7, height = 5, channels = 3): pixels.Pixels => {
  const source = random(seed);
  return {
    width,
    height,
    channels,
    data: Uint8Array.from({ length: width * height * channels }, () => source.integer(256)),
  };
};
const everything: AugmentOptions = {
  crop: [0.3, 1],
  flip: true,
  colour: 0.4,
  operations: { count: 3, strength: 0.7 },
  cutout: 0.4,
};

describe("augmentation", () => {
  it("makes the same bytes of the same seed, in whatever order and company images come", () => {
    const one = augmentation(everything);
    fc.assert(
      fc.property(fc.nat(), fc.nat(1000), fc.nat(20), (seed, row, epoch) => {
        const source = () => random(seed).fork(epoch).fork(row);
        const shared = source();
        const made = one.change(image(row), shared);
        one.change(
          image(row + 1),
          random(seed)
            .fork(epoch)
            .fork(row + 1),
        ); // another image in between
        expect(one.change(image(row), source())).toEqual(made);
        expect(one.change(image(row), shared)).toEqual(made); // nothing is drawn from the source itself
        expect(one.window(image(row), source())).toEqual(one.window(image(row), source()));
        expect([made.width, made.height, made.channels, made.data.length]).toEqual([7, 5, 3, 105]);
      }),
      { seed: 1 },
    );
  });
  it("differs between seeds, epochs and rows, and leaves the given image as it was", () => {
    const one = augmentation(everything);
    const given = image(1, 20, 20);
    const before = given.data.slice();
    const of = (...path: number[]) =>
      [
        ...one.change(
          given,
          path.reduce((source, label) => source.fork(label), random(path[0]!)),
        ).data,
      ].join();
    expect(new Set([of(1, 1, 1), of(2, 1, 1), of(1, 2, 1), of(1, 1, 2)]).size).toBe(4);
    expect(given.data).toEqual(before);
  });
  it("crops lie inside, with an area and ratio in bounds", () => {
    const one = augmentation({ crop: [0.4, 0.9] });
    for (let i = 0; i < 300; i++) {
      const { left, top, width, height } = one.window({ width: 200, height: 160 }, random(i))!;
      expect(left >= 0 && top >= 0 && left + width <= 200 && top + height <= 160).toBe(true);
      expect((width * height) / 32000).toBeGreaterThan(0.38);
      expect((width * height) / 32000).toBeLessThan(0.92);
      expect(width / height).toBeGreaterThan(0.72);
      expect(width / height).toBeLessThan(1.37);
    }
    expect(one.window({ width: 400, height: 10 }, random(1))).toEqual({
      left: 193,
      top: 0,
      width: 13,
      height: 10,
    });
    expect(() => augmentation({ crop: [0, 1] })).toThrow(/crop/);
  });
  it("turns half of the images over", () => {
    const one = augmentation({ flip: true });
    const turned = Array.from(
      { length: 400 },
      (_, i) => one.change(image(3), random(i)).data[0] !== image(3).data[0],
    );
    expect(turned.filter(Boolean).length).toBeGreaterThan(160);
    expect(turned.filter(Boolean).length).toBeLessThan(240);
  });
});

describe("operations on pixels", () => {
  const given = image(5, 6, 6);
  it("undo themselves or change nothing where they should", () => {
    expect(pixels.flipped(pixels.flipped(given))).toEqual(given);
    expect(pixels.brightened(given, 1)).toEqual(given);
    expect(pixels.contrasted(given, 1)).toEqual(given);
    expect(pixels.saturated(given, 1)).toEqual(given);
    expect(pixels.hueTurned(given, 1)).toEqual(given);
    expect(pixels.warped(given, [1, 0, 0, 0, 1, 0])).toEqual(given);
  });
  it("do what their names say", () => {
    const row = { width: 3, height: 1, channels: 1, data: Uint8Array.of(10, 20, 60) };
    expect([...pixels.flipped(row).data]).toEqual([60, 20, 10]);
    expect([...pixels.brightened(row, 5).data]).toEqual([50, 100, 255]);
    expect([...pixels.contrasted(row, 0).data]).toEqual([30, 30, 30]);
    expect([...pixels.stretched(row).data]).toEqual([0, 51, 255]);
    expect([...pixels.equalised(row).data]).toEqual([43, 128, 213]);
    expect([...pixels.warped(row, [1, 0, 1, 0, 1, 0], 7).data]).toEqual([20, 60, 7]);
    expect([...pixels.painted(row, { left: 1, top: -1, width: 9, height: 2 }, 0).data]).toEqual([10, 0, 0]);
    const red = { width: 1, height: 1, channels: 3, data: Uint8Array.of(255, 0, 0) };
    expect([...pixels.saturated(red, 0).data]).toEqual([76, 76, 76]);
    expect([...pixels.hueTurned(red, 1 / 3).data]).toEqual([0, 255, 0]);
  });
});

describe("mixup", () => {
  it("mixes inputs and targets by one share, and leaves padding alone", () => {
    const inputs = { x: float32([4, 1], [1, 2, 4, 99]) };
    const targets = float32([4, 2], [1, 0, 0, 1, 1, 0, 0, 0]);
    const mixed = mixup(inputs, targets, { alpha: 0.4, random: random(3), count: 3 });
    expect(mixed).toEqual(mixup(inputs, targets, { alpha: 0.4, random: random(3), count: 3 }));
    const [x, t] = [mixed.inputs.x!.data as Float32Array, mixed.targets.data as Float32Array];
    expect(x[3]).toBe(99);
    expect([t[6], t[7]]).toEqual([0, 0]);
    expect(x.subarray(0, 3).reduce((a, b) => a + b)).toBeCloseTo(7, 5);
    for (let n = 0; n < 3; n++) expect(t[2 * n]! + t[2 * n + 1]!).toBeCloseTo(1, 6);
    expect(x).not.toEqual(inputs.x.data);
  });
  it("draws shares of mean ½, near 0 and 1 for a small alpha", () => {
    const shares = Array.from({ length: 2000 }, (_, i) => {
      const { inputs } = mixup({ x: float32([1], [0]) }, float32([1, 1], [1]), {
        alpha: 0.2,
        random: random(i),
        count: 0,
      });
      expect(inputs.x!.shape).toEqual([1]);
      const pair = mixup({ x: float32([2], [0, 1]) }, float32([2, 1], [0, 0]), {
        alpha: 0.2,
        random: random(i),
        count: 2,
      });
      return (pair.inputs.x!.data as Float32Array)[0]!;
    });
    const mixedUp = shares.filter((share) => share > 0);
    expect(mixedUp.length).toBeGreaterThan(800); // half of the orders of two rows exchange them
    expect(mixedUp.reduce((a, b) => a + b) / mixedUp.length).toBeCloseTo(0.5, 1);
    expect(mixedUp.filter((share) => share < 0.1 || share > 0.9).length / mixedUp.length).toBeGreaterThan(
      0.5,
    );
  });
});
