import {
  type Code,
  type FunctionBody,
  f32x4,
  i32,
  multiplyAdd,
  setSums,
  type WasmFunction,
  wasmModule,
} from "../wasm.ts";

/** Products of float32 rows [n, d] with rows that come later. */
export interface FloatProducts {
  /** The rows [n, d], zeros at first, to be written before they are used. */
  readonly rows: Float32Array;
  /** Scales every row to length 1; rows of zeros stay. */
  scaleRows(): void;
  /** queries · rowsᵀ [Q, n] for queries [Q, d]. */
  scores(queries: Float32Array, count: number): Float32Array;
}

/** Rows of queries taken at once. */
const QUERIES = 16;

/**
 * Float32 products: by WebAssembly's vectors where the platform has them and so much memory, in JavaScript
 * where not.
 */
export function floatProducts(n: number, d: number): FloatProducts {
  return vectorProducts(n, d) ?? plainProducts(n, d);
}

/** The same in JavaScript: the reference that tests compare. */
export function plainProducts(n: number, d: number): FloatProducts {
  const rows = new Float32Array(n * d);
  return {
    rows,
    scaleRows() {
      for (let i = 0; i < n; i++) {
        const row = rows.subarray(i * d, (i + 1) * d);
        const square = row.reduce((sum, value) => sum + value * value, 0);
        if (square > 0) for (let j = 0; j < d; j++) row[j]! /= Math.sqrt(square);
      }
    },
    scores(queries, count) {
      const scores = new Float32Array(count * n);
      for (let q = 0; q < count; q++)
        for (let i = 0; i < n; i++) {
          let [a, b, c, e] = [0, 0, 0, 0];
          let j = 0;
          const [from, query] = [i * d, q * d];
          for (; j + 3 < d; j += 4) {
            a += rows[from + j]! * queries[query + j]!;
            b += rows[from + j + 1]! * queries[query + j + 1]!;
            c += rows[from + j + 2]! * queries[query + j + 2]!;
            e += rows[from + j + 3]! * queries[query + j + 3]!;
          }
          for (; j < d; j++) a += rows[from + j]! * queries[query + j]!;
          scores[q * n + i] = a + b + c + e;
        }
      return scores;
    },
  };
}

/** What is done with rows [row, end), given as addresses; rows are whole vectors, `bytes` long. */
interface Kernels {
  /** Products with one query go to `out`, … */
  one(row: number, query: number, bytes: number, end: number, out: number): void;
  /** … with four queries to four places `outStride` apart. */
  four(row: number, queries: number, bytes: number, end: number, out: number, outStride: number): void;
  /** Scales rows to length 1. */
  units(row: number, bytes: number, end: number): void;
}

/** Rows that stay in the processor's cache while all queries at hand go over them, in bytes. */
const CACHED = 2 ** 17;

function vectorProducts(n: number, d: number): FloatProducts | null {
  const module = d % 4 === 0 ? kernelModule(d / 4) : null;
  if (module === null) return null;
  const padded = 4 * Math.ceil(n / 4); // kernels take whole blocks of rows
  const queriesAt = padded * d;
  const outAt = queriesAt + QUERIES * d;
  const pages = Math.ceil((4 * (outAt + QUERIES * padded)) / 65_536);
  if (pages > 65_536) return null;
  let memory: WebAssembly.Memory;
  try {
    memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (error) {
    if (error instanceof RangeError) return null; // no room for it
    throw error;
  }
  const all = new Float32Array(memory.buffer);
  const { one, four, units } = new WebAssembly.Instance(module, { "": { m: memory } })
    .exports as unknown as Kernels;
  const block = 4 * Math.max(1, Math.floor(CACHED / (16 * d)));
  return {
    rows: all.subarray(0, n * d),
    scaleRows: () => units(0, 4 * d, 4 * padded * d),
    scores(queries, count) {
      const scores = new Float32Array(count * n);
      for (let from = 0; from < count; from += QUERIES) {
        const some = Math.min(QUERIES, count - from);
        all.fill(0, queriesAt, outAt);
        all.set(queries.subarray(from * d, (from + some) * d), queriesAt);
        if (some === 1) one(0, 4 * queriesAt, 4 * d, 4 * padded * d, 4 * outAt);
        else
          for (let row = 0; row < padded; row += block) {
            const end = Math.min(padded, row + block);
            for (let q = 0; q < some; q += 4) {
              const out = outAt + q * padded + row;
              four(4 * row * d, 4 * (queriesAt + q * d), 4 * d, 4 * end * d, 4 * out, 4 * padded);
            }
          }
        for (let q = 0; q < some; q++)
          scores.set(all.subarray(outAt + q * padded, outAt + q * padded + n), (from + q) * n);
      }
      return scores;
    },
  };
}

/** The module for rows of so many vectors of four numbers. */
function kernels(vectors: number, isFused: boolean): Uint8Array<ArrayBuffer> {
  const unrolled = [5, 4, 3, 2, 1].find((count) => vectors % count === 0)!;
  const madd = multiplyAdd(isFused);
  /** The body for every vector of a row, `unrolled` of them a round: the place in the row, and what to add to it. */
  const along = (f: FunctionBody, bytes: Code, offset: Code, body: (more: number) => void) => {
    f.set(offset, i32.of(0));
    f.loop(
      () => {
        for (let round = 0; round < unrolled; round++) body(16 * round);
        f.set(offset, i32.add(offset, i32.of(16 * unrolled)));
      },
      () => i32.below(offset, bytes),
    );
  };
  /** One row after the other, as memory gives them fastest, with one query; four products are stored together. */
  const one: WasmFunction = {
    parameters: ["i32", "i32", "i32", "i32", "i32"],
    body(f, row, query, bytes, end, out) {
      const total = [0, 1, 2, 3].map(() => f.local("v128"));
      const parts = Array.from({ length: unrolled }, () => f.local("v128"));
      const [other, offset] = [f.local("v128"), f.local("i32")];
      f.loop(
        () => {
          for (const sum of total) {
            for (const part of parts) f.set(part, f32x4.of(0));
            along(f, bytes, offset, (more) => {
              const part = parts[more / 16]!;
              const x = f32x4.load(i32.add(row, offset), more);
              f.set(part, madd(x, f32x4.load(i32.add(query, offset), more), part));
            });
            f.set(
              sum,
              parts.reduce((all, part) => f32x4.add(all, part)),
            );
            f.set(row, i32.add(row, bytes));
          }
          setSums(f, parts[0]!, other, total);
          f.run(f32x4.store(out, parts[0]!));
          f.set(out, i32.add(out, i32.of(16)));
        },
        () => i32.below(row, end),
      );
    },
  };
  /** Two rows at a time with four queries; out [4, n] by its stride. */
  const four: WasmFunction = {
    parameters: ["i32", "i32", "i32", "i32", "i32", "i32"],
    body(f, row, queries, bytes, end, out, outStride) {
      const query = [queries, f.local("i32"), f.local("i32"), f.local("i32")];
      for (const k of [1, 2, 3]) f.set(query[k]!, i32.add(query[k - 1]!, bytes));
      const stored = [out, f.local("i32"), f.local("i32"), f.local("i32")];
      for (const k of [1, 2, 3]) f.set(stored[k]!, i32.add(stored[k - 1]!, outStride));
      const [first, second] = [query.map(() => f.local("v128")), query.map(() => f.local("v128"))];
      const [x, y, z, other] = [f.local("v128"), f.local("v128"), f.local("v128"), f.local("v128")];
      const [offset, next] = [f.local("i32"), f.local("i32")];
      const lane = (k: number, value: Code, address: Code, at: number): Code => [
        ...address,
        ...value,
        ...[0xfd, 0x5a, 0, at, k],
      ];
      f.loop(
        () => {
          f.set(next, i32.add(row, bytes));
          for (const sum of [...first, ...second]) f.set(sum, f32x4.of(0));
          along(f, bytes, offset, (more) => {
            f.set(x, f32x4.load(i32.add(row, offset), more));
            f.set(y, f32x4.load(i32.add(next, offset), more));
            for (const k of [0, 1, 2, 3]) {
              f.set(z, f32x4.load(i32.add(query[k]!, offset), more));
              f.set(first[k]!, madd(x, z, first[k]!));
              f.set(second[k]!, madd(y, z, second[k]!));
            }
          });
          setSums(f, x, other, first);
          setSums(f, y, other, second);
          for (const k of [0, 1, 2, 3]) {
            f.run(lane(k, x, stored[k]!, 0));
            f.run(lane(k, y, stored[k]!, 4));
            f.set(stored[k]!, i32.add(stored[k]!, i32.of(8)));
          }
          f.set(row, i32.add(next, bytes));
        },
        () => i32.below(row, end),
      );
    },
  };
  const units: WasmFunction = {
    parameters: ["i32", "i32", "i32"],
    body(f, row, bytes, end) {
      const [x, other, sum, zero] = [f.local("v128"), f.local("v128"), f.local("v128"), f.local("v128")];
      const offset = f.local("i32");
      f.set(zero, f32x4.of(0));
      f.loop(
        () => {
          f.set(sum, zero);
          along(f, bytes, offset, (more) => {
            f.set(x, f32x4.load(i32.add(row, offset), more));
            f.set(sum, madd(x, x, sum));
          });
          setSums(f, x, other, [sum, sum, sum, sum]);
          // 1 / length, or 0 where there is none.
          f.set(sum, f32x4.and(f32x4.div(f32x4.of(1), f32x4.sqrt(x)), f32x4.above(x, zero)));
          along(f, bytes, offset, (more) => {
            const place = i32.add(row, offset);
            f.run(f32x4.store(place, f32x4.mul(f32x4.load(place, more), sum), more));
          });
          f.set(row, i32.add(row, bytes));
        },
        () => i32.below(row, end),
      );
    },
  };
  return wasmModule({ one, four, units });
}

const compiled = new Map<number, WebAssembly.Module | null>();

function kernelModule(vectors: number): WebAssembly.Module | null {
  if (typeof WebAssembly === "undefined") return null;
  let module = compiled.get(vectors);
  if (module === undefined) {
    const code = [true, false]
      .map((isFused) => kernels(vectors, isFused))
      .find((bytes) => WebAssembly.validate(bytes));
    module = code === undefined ? null : new WebAssembly.Module(code);
    compiled.set(vectors, module);
  }
  return module;
}
