import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { augmentation, type Input, random, type Tensor } from "@graft-ml/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../backbones/index.ts";
import { assemble } from "./assembler.ts";
import { decodeBmp } from "./bmp.ts";
import { imagePreprocessor, rawPixels, readRawImage } from "./index.ts";
import { filters, type Pixels, resample } from "./resample.ts";

const golden = fileURLToPath(new URL("../../../../test/golden/images/", import.meta.url));
const file = (name: string): Input => ({ kind: "image", path: join(golden, name) });
const network = (channels: number | null, height: number | null, width: number | null) => ({
  name: "x",
  layout: "NCHW" as const,
  channels,
  height,
  width,
});
const half = { do_normalize: true, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
const square = (side: number, more: JsonObject = {}): JsonObject => ({
  size: { height: side, width: side },
  ...more,
});
const numbers = (tensor: Tensor | undefined) => Array.from(tensor!.data as Float32Array);

interface Case {
  readonly file: string;
  readonly config: JsonObject;
  readonly shape: [number, number, number];
  readonly float32: string;
}

describe("the numbers are those of transformers over Pillow", async () => {
  const { cases } = JSON.parse(await readFile(join(golden, "golden.json"), "utf8")) as { cases: Case[] };
  test.each(cases)("$file $config", async ({ file: name, config, shape, float32 }) => {
    const { x } = await imagePreprocessor({ config, input: network(...shape) }).prepare([file(name)]);
    const bytes = Buffer.from(float32, "base64");
    const expected = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    expect(x!.shape).toEqual([1, ...shape]);
    let largest = 0;
    for (const [i, value] of expected.entries())
      largest = Math.max(largest, Math.abs(value - (x!.data as Float32Array)[i]!));
    // Bit for bit, but for images reduced while they are decoded: at most 4 of 255 here, in a pattern of 3 ×
    // 4 pixels.
    expect(largest).toBeLessThanOrEqual(name === "large.jpg" ? (2 * 4.001) / 255 : 0);
  });
});

test("augmented images depend on their own random source alone, and have the network's size", async () => {
  const config = square(16, { resample: 2, ...half });
  const preprocessor = imagePreprocessor({ config, input: network(3, 16, 16) });
  const changing = augmentation({ crop: [0.3, 0.8], flip: true, colour: 0.3 });
  const inputs = ["photo.jpg", "alpha.png", "grey.jpg"].map(file);
  const made = async (rows: readonly number[], seed: number) =>
    await preprocessor.prepare(
      rows.map((row) => inputs[row]!),
      { augmentation: changing, random: (i) => random(seed).fork(rows[i]!) },
    );
  const together = await made([0, 1, 2], 1);
  expect(together.x!.shape).toEqual([3, 3, 16, 16]);
  for (const row of [0, 1, 2])
    expect(numbers((await made([row], 1)).x)).toEqual(numbers(together.x).slice(768 * row, 768 * (row + 1)));
  expect(numbers((await made([0], 2)).x)).not.toEqual(numbers((await made([0], 1)).x));
});

test("kept images are read once while there is room, and are changed as if read anew", async () => {
  const preprocessor = imagePreprocessor({ config: square(16, half), input: network(3, 16, 16) });
  const folder = await mkdtemp(join(tmpdir(), "graft-kept-"));
  const bytes = await readFile((file("photo.jpg") as { path: string }).path);
  const copies = await Promise.all(
    ["a.jpg", "b.jpg"].map(async (name): Promise<Input> => {
      await writeFile(join(folder, name), bytes);
      return { kind: "image", path: join(folder, name) };
    }),
  );
  const everything = { flip: true, colour: 0.5, operations: { count: 2, strength: 0.8 }, cutout: 0.4 };
  const of = async (from: typeof preprocessor, crop: boolean, seed: number) =>
    numbers(
      (
        await from.prepare(copies, {
          augmentation: augmentation({ ...everything, ...(crop && { crop: [0.4, 1] }) }),
          random: (i) => random(seed).fork(String(i)),
        })
      ).x,
    );
  const fresh = [];
  for (const seed of [1, 2, 3])
    fresh.push(await of(preprocessor, false, seed), await of(preprocessor, true, seed));
  const [roomy, tight] = [preprocessor.keeping!(2 ** 24), preprocessor.keeping!(16 * 16 * 3)];
  for (const from of [roomy, tight]) {
    const made = [];
    for (const seed of [1, 2, 3]) made.push(await of(from, false, seed), await of(from, true, seed));
    expect(made).toEqual(fresh);
  }
  await rm(folder, { recursive: true });
  expect(await of(roomy, true, 1)).toEqual(fresh[1]);
  await expect(of(tight, true, 1)).rejects.toThrow("there is no such file");
});

test("colour is resampled as each of its channels is alone, at any size and through any window", () => {
  const source = random(3);
  const whole = (from: number, to: number) => from + source.integer(to - from + 1);
  const cases = Array.from({ length: 120 }, () => [
    whole(1, 60),
    whole(1, 60),
    whole(1, 60),
    whole(1, 60),
    whole(0, 5),
  ]);
  cases.push([1700, 1700, 90, 300, 2]); // more than the memory kept for it
  for (const [width, height, columns, rows, code] of cases as [number, number, number, number, number][]) {
    // Mostly black and white, so that the filters with negative lobes overshoot both ways.
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) =>
      i % 5 === 0 ? source.integer(256) : 255 * source.integer(2),
    );
    const [left, top] = [whole(0, columns - 1), whole(0, rows - 1)];
    const window = { left, top, width: whole(1, columns - left), height: whole(1, rows - top) };
    const of = (pixels: Pixels) => resample(pixels, columns, rows, filters[code]!, window).data;
    const colour = of({ width, height, channels: 3, data });
    for (const c of [0, 1, 2]) {
      const alone = of({ width, height, channels: 1, data: data.filter((_, i) => i % 3 === c) });
      const same = alone.every((value, i) => value === colour[3 * i + c]);
      expect(same, `${width} × ${height} to ${columns} × ${rows}, ${filters[code]}`).toBe(true);
    }
    expect(colour.length).toBe(window.width * window.height * 3);
  }
});

test("a kernel of an unknown instruction or local is refused where it is assembled", () => {
  const kernel = (body: string) => () => assemble([{ name: "f", parameters: ["x"], locals: {}, body }]);
  expect(kernel("local.get x br_if 0")()).toBeInstanceOf(Uint8Array);
  expect(kernel("local.get y")).toThrow("does not know y");
  expect(kernel("i64.add")).toThrow("does not know i64.add");
});

test("a row's numbers do not depend on the other rows, nor on the layout", async () => {
  const config = square(16, { resample: 2, ...half });
  const alone = await imagePreprocessor({ config, input: network(3, 16, 16) }).prepare([file("alpha.png")]);
  const inputs = ["photo.jpg", "alpha.png", "grey.jpg", "palette8.bmp", "photo.png"].map(file);
  const together = await imagePreprocessor({ config, input: network(3, null, null) }).prepare(inputs);
  expect(numbers(together.x).slice(768, 2 * 768)).toEqual(numbers(alone.x));
  const last = await imagePreprocessor({
    config,
    input: { ...network(3, 16, 16), layout: "NHWC" },
  }).prepare([file("alpha.png")]);
  expect(last.x!.shape).toEqual([1, 16, 16, 3]);
  const [first, other] = [numbers(alone.x), numbers(last.x)];
  expect(other).toEqual(other.map((_, i) => first[(i % 3) * 256 + Math.floor(i / 3)]));
});

test("a network that takes bytes is fed bytes", async () => {
  const config = square(8, { resample: 0, do_rescale: false });
  const input = network(3, 8, 8);
  const { x } = await imagePreprocessor({ config, input, dtype: "uint8" }).prepare([file("photo.png")]);
  expect(x!.data).toBeInstanceOf(Uint8Array);
  const floats = await imagePreprocessor({ config, input }).prepare([file("photo.png")]);
  expect(Array.from(x!.data as Uint8Array)).toEqual(numbers(floats.x));
  expect(() => imagePreprocessor({ config: square(8), input, dtype: "uint8" })).toThrow(
    /takes bytes.*do_rescale/,
  );
});

test("the fingerprint changes with what changes the numbers, and only with that", () => {
  const of = (config: JsonObject) => imagePreprocessor({ config, input: network(3, 8, 8) }).fingerprint;
  const plain = of(square(8));
  expect(of({ ...square(8), do_resize: true, _comment: "the same" })).toBe(plain);
  for (const more of [{ resample: 3 }, half, { rescale_factor: 0.5 }, { alpha_background: "black" }])
    expect(of(square(8, more))).not.toBe(plain);
});

test("what files() gives makes the same preprocessing again", async () => {
  const made = rawPixels({ size: 8, channels: 1 });
  const config = JSON.parse(made.files()["preprocessor_config.json"] as string);
  const again = imagePreprocessor({ config, input: { ...network(1, 8, 8), name: "pixels" } });
  expect(again.fingerprint).toBe(made.fingerprint);
  expect((await again.prepare([file("photo.jpg")])).pixels!.shape).toEqual([1, 1, 8, 8]);
});

describe("what cannot be right is refused by name", () => {
  const prepare = (input: Input, config = square(8)) =>
    imagePreprocessor({ config, input: network(3, 8, 8) }).prepare([file("photo.png"), input]);
  test.each([
    ["a truncated JPEG", file("broken.jpg"), /broken\.jpg is not an image that can be read.*replace it/],
    ["no image at all", file("golden.json"), /golden\.json is not an image/],
    ["a missing file", file("nothing.png"), /nothing\.png: there is no such file/],
    ["a text", { kind: "text", text: "a cat" } as Input, /an image was expected, got the text "a cat"/],
  ])("%s", async (_, input, message) => {
    await expect(prepare(input)).rejects.toThrow(message);
    await expect(prepare(input)).rejects.toMatchObject({ name: "InputError" });
  });

  test.each([
    [square(8, { do_pad: true }), /"do_pad" is not supported/],
    [{}, /"size" must be a number/],
    [square(8, { resample: 7 }), /"resample" must be Pillow's number/],
    [square(8, { do_normalize: true }), /"image_mean" must be 3 numbers/],
    [square(8, { ...half, image_std: [1, 0, 1] }), /"image_std" must not be zero/],
    [square(0), /"size.width" must be a whole number/],
    [{ size: { shortest_edge: 8 }, crop_pct: 0.9 }, /"crop_pct" is not supported/],
  ] as [JsonObject, RegExp][])("%j", (config, message) => {
    expect(() => imagePreprocessor({ config, input: network(3, 8, 8) })).toThrow(message);
  });

  test("images of differing sizes", async () => {
    const config = { size: { shortest_edge: 8 } };
    expect(() => imagePreprocessor({ config, input: network(3, null, null) })).toThrow(/differing sizes/);
    const fixed = imagePreprocessor({ config, input: network(3, 8, 8) });
    await expect(fixed.prepare([file("photo.png")])).rejects.toThrow(/photo\.png becomes 10 × 8 pixels/);
  });
});

describe("pixels inside a file", () => {
  let folder: string;
  const pixels = Uint8Array.from({ length: 2 * 12 }, (_, i) => i * 10);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "graft-images-"));
    await writeFile(join(folder, "a.gz"), gzipSync(pixels));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const raw = (offset: number) =>
    ({ kind: "raw", path: join(folder, "a.gz"), offset, height: 4, width: 3, channels: 1 }) as const;

  test("are found in a packed file", async () => {
    expect(Array.from(await readRawImage(raw(12)))).toEqual(Array.from(pixels.subarray(12)));
    const config: JsonObject = { size: { height: 4, width: 3 }, do_rescale: false };
    const { x } = await imagePreprocessor({ config, input: network(1, 4, 3) }).prepare([raw(12), raw(0)]);
    expect(numbers(x)).toEqual([...pixels.subarray(12), ...pixels.subarray(0, 12)]);
    const colour = await imagePreprocessor({ config, input: network(3, 4, 3) }).prepare([raw(0)]);
    expect(numbers(colour.x)).toEqual(
      Array(3)
        .fill([...pixels.subarray(0, 12)])
        .flat(),
    );
  });

  test("beyond the end of it are refused", async () => {
    await expect(readRawImage(raw(13))).rejects.toThrow(
      /a\.gz: holds 24 bytes, but an image was to end at byte 25/,
    );
  });
});

test("a BMP cut anywhere, or with any byte of its header changed, is read or refused and never crashes", async () => {
  const whole = new Uint8Array(await readFile(join(golden, "palette8.bmp")));
  for (let length = 0; length < whole.length; length += 97)
    expect(() => decodeBmp(whole.subarray(0, length), "a.bmp")).toThrow(/a\.bmp: this BMP/);
  for (let at = 2; at < 54; at++) {
    for (const value of [0, 1, 127, 255]) {
      const changed = whole.slice();
      changed[at] = value;
      try {
        decodeBmp(changed, "a.bmp");
      } catch (error) {
        expect((error as Error).name).toBe("InputError");
      }
    }
  }
});
