import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build, emptyGraph, float32, modelOf, random, writeModel } from "@graft-ml/core";
import sharp from "sharp";

const SIDE = 24;

/** Two convolutions and an average: [batch, 3, 24, 24] to features [batch, 12]. */
function network(): Uint8Array {
  const graph = emptyGraph("net");
  const b = build(graph);
  const source = random(1);
  const normal = (...shape: number[]) =>
    float32(
      shape,
      Float32Array.from({ length: shape.reduce((x, y) => x * y) }, () => 0.3 * source.normal()),
    );
  const x = b.input("pixel_values", "float32", ["batch", 3, SIDE, SIDE]);
  const one = b.apply("Relu", [b.apply("Conv", [x, b.constant(normal(8, 3, 3, 3), "conv1.weight")])]);
  const two = b.apply("Relu", [b.apply("Conv", [one, b.constant(normal(12, 8, 3, 3), "conv2.weight")])]);
  const features = b.apply("Flatten", [b.apply("GlobalAveragePool", [two])], {}, { name: "pooled" });
  graph.outputs.push(Object.assign(features, { dtype: "float32", shape: ["batch", 12] }));
  return writeModel(modelOf(graph));
}

/** Lying and standing stripes under noise. */
async function photo(path: string, isStanding: boolean, seed: number): Promise<void> {
  const source = random(seed);
  const pixels = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => {
    const [y, x] = [Math.floor(i / 3 / SIDE), Math.floor(i / 3) % SIDE];
    return ((isStanding ? x : y) % 6 < 3 ? 60 : 120) + source.integer(100);
  });
  await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png()
    .toFile(path);
}

/**
 * Writes `photos/lying` and `photos/standing`, `count` each, and `net/`, a network that takes them, into a
 * folder.
 */
export async function writeStripedPhotos(folder: string, count: number): Promise<void> {
  for (const [c, name] of ["lying", "standing"].entries()) {
    await mkdir(join(folder, "photos", name), { recursive: true });
    for (let i = 0; i < count; i++)
      await photo(join(folder, "photos", name, `${String(i).padStart(2, "0")}.png`), c === 1, 100 * c + i);
  }
  await mkdir(join(folder, "net"));
  await writeFile(join(folder, "net", "model.onnx"), network());
  const preprocessing = { do_resize: false, do_rescale: true, rescale_factor: 1 / 255, do_normalize: false };
  const size = { size: { height: SIDE, width: SIDE } };
  await writeFile(
    join(folder, "net", "preprocessor_config.json"),
    JSON.stringify({ ...preprocessing, ...size }),
  );
}
