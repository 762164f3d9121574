/** Pixels in rows from the top, channels side by side: [height, width, channels]. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

/** A part of an image, in pixels. */
export interface PixelWindow {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Every function here gives a new image. Left and right exchanged. */
export function flipped(image: Pixels): Pixels {
  const { width, height, channels, data } = image;
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++)
        out[(y * width + x) * channels + c] = data[(y * width + width - 1 - x) * channels + c]!;
  return { ...image, data: out };
}

/** Each value of a pixel through a table of 256 values, one for all channels or one a channel. */
export function mapped(image: Pixels, tables: readonly Uint8Array[]): Pixels {
  const { channels, data } = image;
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) out[i] = tables[tables.length === 1 ? 0 : i % channels]![data[i]!]!;
  return { ...image, data: out };
}

/** A table of 256 values of a function, rounded and kept in 0 … 255. */
export function table(value: (pixel: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, pixel) => byte(value(pixel)));
}

/** Times `factor`. */
export function brightened(image: Pixels, factor: number): Pixels {
  return mapped(image, [table((pixel) => pixel * factor)]);
}

/** Mixed with its own mean grey: 0 is grey, 1 the image, above 1 more contrast. */
export function contrasted(image: Pixels, factor: number): Pixels {
  const mean = Math.round(meanGrey(image));
  return mapped(image, [table((pixel) => mean + factor * (pixel - mean))]);
}

/** Mixed with its grey version: 0 is grey, 1 the image. Images of one channel stay. */
export function saturated(image: Pixels, factor: number): Pixels {
  const { channels, data } = image;
  if (channels < 3) return image;
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += channels) {
    const grey = greyAt(image, i);
    for (let c = 0; c < channels; c++)
      out[i + c] = c < 3 ? byte(grey + factor * (data[i + c]! - grey)) : data[i + c]!;
  }
  return { ...image, data: out };
}

/** Colours turned by a share of the colour circle, −0.5 to 0.5, around the grey axis. */
export function hueTurned(image: Pixels, share: number): Pixels {
  const { channels, data } = image;
  if (channels < 3 || share === 0) return image;
  const [cos, sin] = [Math.cos(2 * Math.PI * share), Math.sin(2 * Math.PI * share)];
  // A rotation about (1, 1, 1), which leaves greys as they are.
  const third = (1 - cos) / 3;
  const root = sin / Math.sqrt(3);
  const [same, next, last] = [cos + third, third - root, third + root];
  const out = data.slice();
  for (let i = 0; i < data.length; i += channels) {
    const [r, g, b] = [data[i]!, data[i + 1]!, data[i + 2]!];
    out[i] = byte(same * r + next * g + last * b);
    out[i + 1] = byte(last * r + same * g + next * b);
    out[i + 2] = byte(next * r + last * g + same * b);
  }
  return { ...image, data: out };
}

/**
 * The image under an affine map: output pixel (x, y), from the centre, shows what lies at (a·x + b·y + c, d·x
 * + e·y + f); bilinear, `fill` outside.
 */
export function warped(image: Pixels, [a, b, c, d, e, f]: readonly number[], fill = 128): Pixels {
  const { width, height, channels, data } = image;
  const out = new Uint8Array(data.length);
  const [midX, midY] = [(width - 1) / 2, (height - 1) / 2];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [dx, dy] = [x - midX, y - midY];
      const fromX = a! * dx + b! * dy + c! + midX;
      const fromY = d! * dx + e! * dy + f! + midY;
      const [left, top] = [Math.floor(fromX), Math.floor(fromY)];
      const [across, down] = [fromX - left, fromY - top];
      for (let k = 0; k < channels; k++) {
        const at = (px: number, py: number) =>
          px < 0 || py < 0 || px >= width || py >= height ? fill : data[(py * width + px) * channels + k]!;
        const above = at(left, top) * (1 - across) + at(left + 1, top) * across;
        const below = at(left, top + 1) * (1 - across) + at(left + 1, top + 1) * across;
        out[(y * width + x) * channels + k] = byte(above * (1 - down) + below * down);
      }
    }
  return { ...image, data: out };
}

/** Each channel stretched to 0 … 255. */
export function stretched(image: Pixels): Pixels {
  return mapped(
    image,
    histograms(image).map((counts) => {
      const least = counts.findIndex((count) => count > 0);
      const most = counts.findLastIndex((count) => count > 0);
      return table((pixel) => (most > least ? ((pixel - least) * 255) / (most - least) : pixel));
    }),
  );
}

/** Each channel's histogram made even. */
export function equalised(image: Pixels): Pixels {
  const total = image.width * image.height;
  return mapped(
    image,
    histograms(image).map((counts) => {
      let below = 0;
      const before = counts.map((count) => (below += count) - count);
      return table((pixel) => (255 * (before[pixel]! + counts[pixel]! / 2)) / total);
    }),
  );
}

/** A rectangle painted in one value; what lies outside the image is cut off. */
export function painted(image: Pixels, { left, top, width, height }: PixelWindow, fill = 128): Pixels {
  const out = image.data.slice();
  for (let y = Math.max(0, top); y < Math.min(image.height, top + height); y++) {
    const row = y * image.width;
    const [from, to] = [Math.max(0, left), Math.min(image.width, left + width)];
    if (to > from) out.fill(fill, (row + from) * image.channels, (row + to) * image.channels);
  }
  return { ...image, data: out };
}

function histograms({ channels, data }: Pixels): number[][] {
  const counts = Array.from({ length: channels }, () => new Array<number>(256).fill(0));
  for (let i = 0; i < data.length; i++) counts[i % channels]![data[i]!]!++;
  return counts;
}

function meanGrey(image: Pixels): number {
  let sum = 0;
  for (let i = 0; i < image.data.length; i += image.channels) sum += greyAt(image, i);
  return sum / (image.width * image.height);
}

/** Luma of ITU-R 601. */
function greyAt({ channels, data }: Pixels, i: number): number {
  return channels < 3 ? data[i]! : 0.299 * data[i]! + 0.587 * data[i + 1]! + 0.114 * data[i + 2]!;
}

function byte(value: number): number {
  return Math.min(255, Math.max(0, Math.round(value)));
}
