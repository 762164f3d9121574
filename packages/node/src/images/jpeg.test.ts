import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { expect, test } from "vitest";
import { jpegFrame } from "./jpeg.ts";

const golden = fileURLToPath(new URL("../../../../test/golden/images/", import.meta.url));

test("a JPEG's frame is what a decoder says, whatever stands before it", async () => {
  const names = (await readdir(golden)).filter((name) => name.endsWith(".jpg"));
  const files = await Promise.all(names.map((name) => readFile(join(golden, name))));
  const pixels = { create: { width: 37, height: 12, channels: 3 as const, background: "teal" } };
  files.push(
    await sharp(pixels).jpeg({ progressive: true }).toBuffer(),
    await sharp(pixels).toColourspace("cmyk").jpeg().toBuffer(),
    await sharp(pixels).withMetadata({ orientation: 6 }).withIccProfile("p3").jpeg().toBuffer(),
  );
  expect(files.length).toBeGreaterThan(4);
  for (const bytes of files) {
    const { width, height, channels: components } = await sharp(bytes).metadata();
    expect(jpegFrame(bytes)).toEqual({ width, height, components });
  }
});

test("what is no JPEG, or ends before its frame, has none", async () => {
  const jpeg = await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
    .jpeg()
    .toBuffer();
  const frame = jpeg.indexOf(Uint8Array.of(0xff, 0xc0));
  for (let length = 0; length < frame + 10; length++) expect(jpegFrame(jpeg.subarray(0, length))).toBeNull();
  expect(jpegFrame(jpeg.subarray(0, frame + 10))).not.toBeNull();
  expect(jpegFrame(await readFile(join(golden, "alpha.png")))).toBeNull();
  expect(jpegFrame(Uint8Array.of(0xff, 0xd8, 0xff, 0xda, ...new Uint8Array(20)))).toBeNull();
});
