import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { readBytes, size } from "./bytes.ts";
import { type Format, fileError } from "./format.ts";

/** Most bytes of one IDX file once unpacked: 4 million MNIST images. */
const LIMIT = 4 * 2 ** 30;
const UINT8 = 0x08;

export const idx: Format = {
  about: "MNIST-style pairs of files: images in IDX3 or IDX4, labels in IDX1",
  extensions: ["idx3-ubyte", "idx4-ubyte"],
  options: {},
  async *read(source, settings, report) {
    const labelsPath = join(dirname(source.path), labelsName(basename(source.path)));
    const paired = await firstThere([labelsPath, `${labelsPath}.gz`, labelsPath.replace(/\.gz$/, "")]);
    const images = await scanIdx(source.path, source.name, false);
    const shape = images.shape;
    if (shape.length !== 3 && shape.length !== 4) {
      throw fileError(
        source.name,
        `holds an array of ${shape.length} dimensions; images have 3, or 4 with channels last`,
      );
    }
    const [count, height, width, channels = 1] = shape as [number, number, number, number?];
    if (![1, 3, 4].includes(channels) || height === 0 || width === 0) {
      throw fileError(
        source.name,
        `holds images of ${height} × ${width} × ${channels}; 1, 3 or 4 channels and no empty side are read`,
      );
    }
    if (paired === null && settings.labels === "required") {
      throw fileError(
        source.name,
        `has no labels beside it; expected ${basename(labelsPath)} in the same folder`,
      );
    }
    let labels: Uint8Array | null = null;
    if (paired !== null) {
      const name = join(dirname(source.name), basename(paired)).replace(/^\.\//, "");
      const read = await scanIdx(paired, name, true);
      if (read.shape.length !== 1)
        throw fileError(name, `holds an array of ${read.shape.length} dimensions; labels have 1`);
      labels = read.data;
      if (labels.length !== count) {
        throw fileError(
          source.name,
          `has ${count} images and ${name} ${labels.length} labels; they are no pair`,
        );
      }
    }
    if (count === 0) throw fileError(source.name, "holds no images");
    report.note(
      `${source.name}: ${count} images of ${height} × ${width}${channels > 1 ? ` × ${channels}` : ""}`,
    );
    const bytes = height * width * channels;
    const header = 4 + 4 * shape.length;
    for (let i = 0; i < count; i++) {
      yield {
        where: `${source.name} row ${i + 1}`,
        input: { kind: "raw", path: source.path, offset: header + i * bytes, height, width, channels },
        label: labels === null ? null : String(labels[i]),
        split: source.split,
        group: null,
        weight: 1,
      };
    }
  },
};

/** The labels' file name of an images' file name: "train-images-idx3-ubyte.gz" has "train-labels-idx1-ubyte.gz". */
export function labelsName(images: string): string {
  return images.replace("images", "labels").replace(/idx[34]/, "idx1");
}

/** The part that MNIST's naming says: t10k is test, train… is train. */
export function idxSplit(name: string): "train" | "test" | null {
  return /^(t10k|test)/i.test(name) ? "test" : /^train/i.test(name) ? "train" : null;
}

/**
 * Reads an IDX file (http://yann.lecun.com/exdb/mnist/: two zero bytes, type, number of dimensions,
 * big-endian extents, data) to its end, so that a header that lies about the length is found; keeps the data
 * where asked to.
 */
async function scanIdx(path: string, name: string, keep: boolean) {
  let head = Buffer.alloc(0);
  let shape: number[] | null = null;
  let expected = Number.POSITIVE_INFINITY;
  let seen = 0;
  let kept: Uint8Array = new Uint8Array(0);
  for await (const chunk of readBytes(path, name, LIMIT)) {
    let body = chunk;
    if (shape === null) {
      head = Buffer.concat([head, chunk]);
      shape = shapeOf(head, name);
      if (shape === null) continue;
      expected = shape.reduce((product, extent) => product * extent, 1);
      if (expected > LIMIT)
        throw fileError(name, `its header speaks of ${size(expected)}; ${size(LIMIT)} at most are read`);
      // What a header promises is believed only once it is there: labels are a byte a row, so this stays small.
      if (keep && expected > 2 ** 26)
        throw fileError(name, `its header speaks of ${expected} labels; too many`);
      if (keep) kept = new Uint8Array(expected);
      body = head.subarray(4 + 4 * shape.length);
    }
    if (seen + body.length > expected)
      throw fileError(name, `holds more bytes than the ${expected} its header speaks of`);
    if (keep) kept.set(body, seen);
    seen += body.length;
  }
  if (shape === null) throw fileError(name, "is empty or ends within its header; it is no IDX file");
  if (seen < expected) throw fileError(name, `ends after ${seen} of ${expected} bytes; fetch it again`);
  return { shape, data: kept };
}

/** The extents in an IDX header; null while it is not all there. */
function shapeOf(head: Buffer, name: string): number[] | null {
  if (head.length < 4) return null;
  if (head[0] !== 0 || head[1] !== 0 || head[3] === 0 || head[3]! > 8) {
    throw fileError(
      name,
      "is no IDX file; it does not start with two zero bytes, a type and a number of dimensions",
    );
  }
  if (head[2] !== UINT8)
    throw fileError(name, `holds numbers of type 0x${head[2]!.toString(16)}; unsigned bytes (0x8) are read`);
  if (head.length < 4 + 4 * head[3]!) return null;
  return Array.from({ length: head[3]! }, (_, d) => head.readUInt32BE(4 + 4 * d));
}

async function firstThere(paths: readonly string[]): Promise<string | null> {
  for (const path of new Set(paths)) {
    if (
      await stat(path).then(
        (entry) => entry.isFile(),
        () => false,
      )
    )
      return path;
  }
  return null;
}
