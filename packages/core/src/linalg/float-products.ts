import { type Code, f32x4, i32, setSums, type WasmFunction, wasmModule } from "../wasm.ts";

/** Products of float32 rows [n, d] with rows that come later. */
export interface FloatProducts {
  /** The rows [n, d], zeros at first, to be written before they are used. */
  readonly rows: Float32Array;
  /** queries · rowsᵀ [Q, n] for queries [Q, d]. */
  scores(queries: Float32Array, count: number): Float32Array;
}

/** Rows of queries taken at once. */
const QUERIES = 16;

/** Float32 products: by WebAssembly's vectors where the platform has them and so much memory, in JavaScript where not. */
export function floatProducts(n: number, d: number): FloatProducts {
  return vectorProducts(n, d) ?? plainProducts(n, d);
}

/** The same in JavaScript: the reference that tests compare. */
export function plainProducts(n: number, d: number): FloatProducts {
  const rows = new Float32Array(n * d);
  return {
    rows,
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

/** Products of one row with four queries: addresses; rows of whole vectors, `bytes` of them; the products go to `out`. */
type Kernel = (
  row: number,
  queries: number,
  bytes: number,
  end: number,
  out: number,
  outStride: number,
) => void;

function vectorProducts(n: number, d: number): FloatProducts | null {
  const module = d % 4 === 0 ? kernelModule() : null;
  if (module === null) return null;
  const queriesAt = n * d;
  const outAt = queriesAt + QUERIES * d;
  const pages = Math.ceil((4 * (outAt + QUERIES * n)) / 65_536);
  if (pages > 65_536) return null;
  let memory: WebAssembly.Memory;
  try {
    memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (error) {
    if (error instanceof RangeError) return null; // no room for it
    throw error;
  }
  const all = new Float32Array(memory.buffer);
  const kernel = new WebAssembly.Instance(module, { "": { m: memory } }).exports.scores as Kernel;
  return {
    rows: all.subarray(0, n * d),
    scores(queries, count) {
      const scores = new Float32Array(count * n);
      for (let from = 0; from < count; from += QUERIES) {
        const some = Math.min(QUERIES, count - from);
        all.fill(0, queriesAt, outAt);
        all.set(queries.subarray(from * d, (from + some) * d), queriesAt);
        for (let q = 0; q < some; q += 4)
          kernel(0, 4 * (queriesAt + q * d), 4 * d, 4 * n * d, 4 * (outAt + q * n), 4 * n);
        scores.set(all.subarray(outAt, outAt + some * n), from * n);
      }
      return scores;
    },
  };
}

/** Every row [row, end) with four queries; out [4, n] by its stride. */
const scores: WasmFunction = {
  parameters: ["i32", "i32", "i32", "i32", "i32", "i32"],
  body(f, row, queries, bytes, end, out, outStride) {
    const query = [queries, f.local("i32"), f.local("i32"), f.local("i32")] as const;
    for (const k of [1, 2, 3]) f.set(query[k]!, i32.add(query[k - 1]!, bytes));
    const stored = [out, f.local("i32"), f.local("i32"), f.local("i32")] as const;
    for (const k of [1, 2, 3]) f.set(stored[k]!, i32.add(stored[k - 1]!, outStride));
    const total = [0, 1, 2, 3].map(() => f.local("v128"));
    const [x, other] = [f.local("v128"), f.local("v128")];
    const offset = f.local("i32");
    const lane = (k: number, value: Code, address: Code): Code => [...address, ...value, 0xfd, 0x5a, 0, 0, k];
    f.loop(
      () => {
        f.set(offset, i32.of(0));
        for (const k of [0, 1, 2, 3]) f.set(total[k]!, f32x4.of(0));
        f.loop(
          () => {
            f.set(x, f32x4.load(row));
            for (const k of [0, 1, 2, 3]) {
              const y = f32x4.load(i32.add(query[k]!, offset));
              f.set(total[k]!, f32x4.add(total[k]!, f32x4.mul(x, y)));
            }
            f.set(row, i32.add(row, i32.of(16)));
            f.set(offset, i32.add(offset, i32.of(16)));
          },
          () => i32.below(offset, bytes),
        );
        setSums(f, x, other, total);
        for (const k of [0, 1, 2, 3]) {
          f.run(lane(k, x, stored[k]!));
          f.set(stored[k]!, i32.add(stored[k]!, i32.of(4)));
        }
      },
      () => i32.below(row, end),
    );
  },
};

let compiled: WebAssembly.Module | null | undefined;

function kernelModule(): WebAssembly.Module | null {
  if (compiled === undefined) {
    const bytes = typeof WebAssembly === "undefined" ? null : wasmModule({ scores });
    compiled = bytes !== null && WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null;
  }
  return compiled;
}
