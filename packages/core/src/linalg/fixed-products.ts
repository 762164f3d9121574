import { addRowProducts, type Reals, transposedProduct } from "./product.ts";

/** Products with a matrix Z [n, r] that many calls share. */
export interface FixedProducts {
  /** Z · yᵀ [n, W] for y [W, r]. */
  scores(y: Float64Array, W: number): Float64Array;
  /** leftᵀ · Z [W, r] for left [n, W]. */
  gradient(left: Float64Array, W: number): Float64Array;
}

/** Numbers of Z under which setting up costs more than it saves. */
const SMALL = 4096;

/**
 * Products with Z [n, r] in float64: by WebAssembly's vectors where the platform has them, in JavaScript
 * where not.
 */
export function fixedProducts(z: Reals, n: number, r: number): FixedProducts {
  const module = n * r < SMALL ? null : kernelModule();
  if (module !== null) return vectorProducts(module, z, n, r);
  return {
    scores(y, W) {
      const scores = new Float64Array(n * W);
      addRowProducts(z, n, y, W, r, scores);
      return scores;
    },
    gradient: (left, W) => transposedProduct(left, W, z, r, n),
  };
}

/** Inner products of two rows with four: addresses and distances in bytes; the sums go to `out`. */
type Kernel = (
  a: number,
  aStride: number,
  b: number,
  bStride: number,
  bytes: number,
  out: number,
  outStride: number,
) => void;

interface Space {
  readonly capacity: number;
  readonly memory: Float64Array;
  readonly kernel: Kernel;
  /** Places of Z [n, r], of Zᵀ [r, n], of what is multiplied with them and of the products, in numbers. */
  readonly z: number;
  readonly turned: number;
  readonly other: number;
  readonly out: number;
}

function vectorProducts(module: WebAssembly.Module, z: Reals, n: number, r: number): FixedProducts {
  // Rows are filled up with zeros to whole vectors, and matrices to whole pairs and fours of rows.
  const [long, high] = [upTo(r, 4), upTo(n, 4)];
  let space: Space | null = null;
  const roomFor = (W: number): Space => {
    if (space !== null && space.capacity >= W) return space;
    const capacity = upTo(W, 4);
    const turned = high * long;
    const other = 2 * turned;
    const out = other + capacity * Math.max(long, high);
    const total = out + capacity * Math.max(long, high);
    const pages = Math.ceil((8 * total) / 65536);
    const given = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { exports } = new WebAssembly.Instance(module, { "": { m: given } });
    const memory = new Float64Array(given.buffer);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < r; j++) {
        const value = z[i * r + j]!;
        memory[i * long + j] = value;
        memory[turned + j * high + i] = value;
      }
    space = { capacity, memory, kernel: exports.dots as Kernel, z: 0, turned, other, out };
    return space;
  };
  return {
    scores(y, W) {
      const { memory, kernel, z: from, other, out } = roomFor(W);
      const wide = upTo(W, 4);
      for (let w = 0; w < W; w++) memory.set(y.subarray(w * r, (w + 1) * r), other + w * long);
      for (let w = 0; w < W; w++) memory.fill(0, other + w * long + r, other + (w + 1) * long);
      for (let i = 0; i < n; i += 2)
        for (let w = 0; w < W; w += 4)
          kernel(
            8 * (from + i * long),
            8 * long,
            8 * (other + w * long),
            8 * long,
            8 * long,
            8 * (out + i * wide + w),
            8 * wide,
          );
      const scores = new Float64Array(n * W);
      for (let i = 0; i < n; i++) scores.set(memory.subarray(out + i * wide, out + i * wide + W), i * W);
      return scores;
    },
    gradient(left, W) {
      const { memory, kernel, turned, other, out } = roomFor(W);
      for (let w = 0; w < W; w++) {
        const o = other + w * high;
        for (let i = 0; i < n; i++) memory[o + i] = left[i * W + w]!;
        memory.fill(0, o + n, o + high);
      }
      for (let j = 0; j < r; j += 4)
        for (let w = 0; w < W; w += 2)
          kernel(
            8 * (other + w * high),
            8 * high,
            8 * (turned + j * high),
            8 * high,
            8 * high,
            8 * (out + w * long + j),
            8 * long,
          );
      const gradient = new Float64Array(W * r);
      for (let w = 0; w < W; w++) gradient.set(memory.subarray(out + w * long, out + w * long + r), w * r);
      return gradient;
    },
  };
}

function upTo(count: number, multiple: number): number {
  return Math.ceil(count / multiple) * multiple;
}

let compiled: WebAssembly.Module | null | undefined;

function kernelModule(): WebAssembly.Module | null {
  if (compiled === undefined) {
    const bytes = typeof WebAssembly === "undefined" ? null : assembled();
    compiled = bytes !== null && WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null;
  }
  return compiled;
}

/**
 * The module: one function `dots` over an imported memory ("m" of ""), written out byte by byte; see the core
 * specification's binary format, https://webassembly.github.io/spec/core/binary/.
 */
function assembled(): Uint8Array<ArrayBuffer> {
  const [a, aStride, b, bStride, bytes, out, outStride, end, second] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const columns = [b, 9, 10, 11];
  const [sums, x, y, u] = [12, 20, 21, 22];
  const get = (local: number) => [0x20, local];
  const set = (local: number, value: readonly number[]) => [...value, 0x21, local];
  const plus = (left: readonly number[], right: readonly number[]) => [...left, ...right, 0x6a];
  const load = (address: number) => [...get(address), 0xfd, 0x00, 4, 0];
  /** f64x2: local += local · local. */
  const gather = (sum: number, p: number, q: number) =>
    set(sum, [...get(sum), ...get(p), ...get(q), 0xfd, 0xf2, 0x01, 0xfd, 0xf0, 0x01]);
  const lane = (local: number, which: number) => [...get(local), 0xfd, 0x21, which];
  const ahead = (address: number) => set(address, plus(get(address), [0x41, 16]));
  const store = (sum: number, offset: number) => [
    ...get(out),
    ...[...lane(sum, 0), ...lane(sum, 1), 0xa0],
    ...[0x39, 3, offset],
  ];
  const code = [
    ...[2, 5, 0x7f, 11, 0x7b], // locals: five addresses, eleven vectors
    ...set(end, plus(get(a), get(bytes))),
    ...set(second, plus(get(a), get(aStride))),
    ...columns.slice(1).flatMap((column, k) => set(column, plus(get(columns[k]!), get(bStride)))),
    ...[0x03, 0x40], // loop
    ...set(x, load(a)),
    ...set(y, load(second)),
    ...columns.flatMap((column, k) => [
      ...set(u, load(column)),
      ...gather(sums + k, x, u),
      ...gather(sums + 4 + k, y, u),
    ]),
    ...[a, second, ...columns].flatMap(ahead),
    ...[...get(a), ...get(end), 0x49, 0x0d, 0, 0x0b], // again while a < end
    ...columns.flatMap((_, k) => store(sums + k, 8 * k)),
    ...set(out, plus(get(out), get(outStride))),
    ...columns.flatMap((_, k) => store(sums + 4 + k, 8 * k)),
    0x0b,
  ];
  const section = (id: number, content: readonly number[]) => [id, ...length(content), ...content];
  const body = [...length(code), ...code];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 7, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0]),
    ...section(2, [1, 0, 1, 0x6d, 0x02, 0, 0]),
    ...section(3, [1, 0]),
    ...section(7, [1, 4, 0x64, 0x6f, 0x74, 0x73, 0x00, 0]), // "dots"
    ...section(10, [1, ...body]),
  ]);
}

/** The number of bytes, as LEB128. */
function length(content: readonly number[]): number[] {
  const n = content.length;
  return n < 128 ? [n] : [(n & 127) | 128, n >> 7];
}
