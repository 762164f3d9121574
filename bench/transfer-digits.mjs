// MNIST digits in another style: slanted, thickened and bent elastically, also dark on light; a function of
// digit and number.
import { readFileSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { random } from "graft-ml";

const SIDE = 28;
const SLANT = 0.35;
/** Control points of the elastic field a side, and how far they move, in pixels. */
const GRID = 5;
const BEND = 2.5;

/** Pixels [n, 28, 28] and labels [n] of an IDX pair, as far as rows are wanted. */
export function digits(images, labels, from, to) {
  const pixels = gunzipSync(readFileSync(images)).subarray(16 + from * SIDE ** 2, 16 + to * SIDE ** 2);
  return { pixels, labels: gunzipSync(readFileSync(labels)).subarray(8 + from, 8 + to) };
}

/** The digits in the other style. */
export function restyled(pixels, { isInverted }) {
  const made = Buffer.alloc(pixels.length);
  for (let i = 0; i < pixels.length / SIDE ** 2; i++)
    made.set(one(pixels.subarray(i * SIDE ** 2, (i + 1) * SIDE ** 2), random(i), isInverted), i * SIDE ** 2);
  return made;
}

function one(pixels, source, isInverted) {
  const field = () => Float32Array.from({ length: GRID ** 2 }, () => BEND * (2 * source.uniform() - 1));
  const [bendX, bendY] = [field(), field()];
  const thick = (x, y) => {
    let most = 0;
    for (let dy = -1; dy <= 1; dy++)
      for (let dx = -1; dx <= 1; dx++)
        most = Math.max(most, bilinear(pixels, SIDE, x + dx * 0.7, y + dy * 0.7));
    return most;
  };
  const scale = (GRID - 1) / (SIDE - 1);
  return Uint8Array.from({ length: SIDE ** 2 }, (_, at) => {
    const [x, y] = [at % SIDE, Math.floor(at / SIDE)];
    const fromX = x + SLANT * (y - SIDE / 2) + bilinear(bendX, GRID, x * scale, y * scale);
    const fromY = y + bilinear(bendY, GRID, x * scale, y * scale);
    const ink = Math.round(thick(fromX, fromY));
    return isInverted ? 255 - ink : ink;
  });
}

/** The value between four neighbours; 0 outside. */
function bilinear(values, side, x, y) {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  let sum = 0;
  for (const [px, py] of [
    [left, top],
    [left + 1, top],
    [left, top + 1],
    [left + 1, top + 1],
  ])
    if (px >= 0 && py >= 0 && px < side && py < side)
      sum += (1 - Math.abs(x - px)) * (1 - Math.abs(y - py)) * values[py * side + px];
  return sum;
}

/** Rows of raw images that lie one after the other in a file, which is written. */
export function rawRows(path, pixels, labels, { side = SIDE, channels = 1, split = "train" } = {}) {
  writeFileSync(path, pixels);
  const bytes = side * side * channels;
  return Array.from(labels, (label, i) => ({
    where: `${path} image ${i}`,
    input: { kind: "raw", path, offset: i * bytes, height: side, width: side, channels },
    label: String(label),
    split,
    group: null,
    weight: 1,
  }));
}
