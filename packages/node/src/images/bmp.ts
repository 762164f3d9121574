import { InputError } from "@graft-ml/core";
import type { Pixels } from "./resample.ts";

/** Whether a file's bytes begin like a BMP's. */
export function isBmp(bytes: Uint8Array): boolean {
  return bytes[0] === 0x42 && bytes[1] === 0x4d;
}

const MOST_PIXELS = 2 ** 27;

/**
 * Decodes an uncompressed BMP of 1, 4 or 8 bits with a palette or of 24 or 32 bits, to [height, width, 3]
 * (BITMAPINFOHEADER and its successors, https://learn.microsoft.com/windows/win32/gdi/bitmap-storage). The
 * fourth byte of 32 bits is padding in most files and is left out. Throws an InputError that names the file.
 */
export function decodeBmp(bytes: Uint8Array, name: string): Pixels {
  const refuse = (problem: string): never => {
    throw new InputError(`${name}: this BMP ${problem}; save it as PNG`);
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 54) refuse(`ends within its header, after ${bytes.length} bytes`);
  const header = view.getUint32(14, true);
  if (header < 40) refuse(`has a header of ${header} bytes, of the time before Windows 3`);
  const start = view.getUint32(10, true);
  const width = view.getInt32(18, true);
  const stated = view.getInt32(22, true);
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  const height = Math.abs(stated);
  if (width < 1 || height < 1 || width * height > MOST_PIXELS)
    refuse(`speaks of ${width} × ${height} pixels`);
  if (![1, 4, 8, 24, 32].includes(bits)) refuse(`has ${bits} bits a pixel; 1, 4, 8, 24 and 32 are read`);
  const isPlain = compression === 0 || (compression === 3 && bits === 32 && hasUsualMasks(view));
  if (!isPlain) refuse(`is compressed (method ${compression})`);
  const stride = Math.ceil((width * bits) / 32) * 4;
  if (start + stride * height > bytes.length)
    refuse(`has ${bytes.length} bytes where its header speaks of ${start + stride * height}`);

  const colours = bits > 8 ? 0 : view.getUint32(46, true) || 2 ** bits;
  const palette = 14 + header;
  if (colours > 2 ** bits && bits <= 8) refuse(`has a palette of ${colours} colours`);
  if (palette + colours * 4 > bytes.length) refuse("ends within its palette");
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const line = start + (stated > 0 ? height - 1 - y : y) * stride; // from the bottom, unless the height is negative
    for (let x = 0; x < width; x++) {
      let at = line + x * (bits >> 3);
      if (bits <= 8) {
        const byte = bytes[line + ((x * bits) >> 3)]!;
        const index = (byte >> (8 - bits - ((x * bits) & 7))) & (2 ** bits - 1);
        if (index >= colours) refuse(`has a pixel of colour ${index}, but ${colours} colours`);
        at = palette + index * 4;
      }
      const to = (y * width + x) * 3;
      data[to] = bytes[at + 2]!;
      data[to + 1] = bytes[at + 1]!;
      data[to + 2] = bytes[at]!;
    }
  }
  return { width, height, channels: 3, data };
}

function hasUsualMasks(view: DataView): boolean {
  const masks = [0xff0000, 0xff00, 0xff];
  return view.byteLength >= 66 && masks.every((mask, i) => view.getUint32(54 + 4 * i, true) === mask);
}
