import {
  type Code,
  type FunctionBody,
  f32,
  f32x4,
  i32,
  multiplyAdd,
  setSums,
  type WasmFunction,
  wasmModule,
} from "../wasm.ts";

/** Output rows that a group holds: as many as keep themselves and their changes in the registers. */
export const GROUP = 6;
/** Bytes of a record's head, and of a group: addresses, labels, rates, each for eight places. */
export const RECORD_HEAD = 16;
export const GROUP_BYTES = 96;

/**
 * Where a thread's own memory has what, in bytes from its beginning: rows of a whole number of vectors,
 * `stride` bytes each.
 */
export function scratchLayout(stride: number, contexts: number) {
  const nothing = 64; // a row that groups with fewer outputs point to
  const hidden = nothing + stride;
  const before = hidden + stride;
  const slopes = before + stride;
  const records = Math.ceil((slopes + 32 * Math.max(1, contexts)) / 64) * 64;
  return { pointer: 0, nothing, hidden, before, slopes, records };
}

/** One step after the other, for every record from `at` to `end`; `scratch` is the thread's own memory. */
export type TrainKernel = (at: number, end: number, scratch: number) => void;

/** Vectors of a row, filled up so that the inner loop's rounds come out even, and vectors a round. */
export function rounds(dimension: number): { vectors: number; unrolled: number } {
  const least = Math.ceil(dimension / 4);
  let best = { vectors: least, unrolled: 1 };
  let cost = Number.POSITIVE_INFINITY;
  for (const unrolled of [5, 4, 3, 2]) {
    const vectors = unrolled * Math.ceil(least / unrolled);
    if (vectors < cost) {
      best = { vectors, unrolled };
      cost = vectors;
    }
  }
  return best;
}

/**
 * Bytes from one row to the next: whole cache lines, so that threads which write to different rows do not
 * wait for each other.
 */
export function strideOf(dimension: number): number {
  return 64 * Math.ceil(rounds(dimension).vectors / 4);
}

/**
 * The module of the training loop for rows of one length. A record says: inputs n, whether their mean is the
 * only input (1) or each is one (0), groups; then the addresses of the n input rows; then groups of six
 * output rows with a label (1 what is to be predicted, 0 noise) and a rate each. A group's outputs O [6, D]
 * and the inputs X [n, D] change at once by the slopes G = (label − σ(X Oᵀ)) · rate: X += G O, O += Gᵀ X (Ji
 * et al. 2016, https://arxiv.org/abs/1604.04661: the negatives of a window are shared, so that vectors are
 * loaded once for all its pairs). A mean's change goes undivided to each of its inputs, as in word2vec's
 * CBOW.
 */
export function trainModule(
  dimension: number,
  contexts: number,
  { isShared, isFused }: { readonly isShared: boolean; readonly isFused: boolean },
): Uint8Array<ArrayBuffer> {
  const { vectors, unrolled } = rounds(dimension);
  const bytes = i32.of(16 * vectors);
  const layout = scratchLayout(strideOf(dimension), contexts);
  const madd = multiplyAdd(isFused);
  const train: WasmFunction = {
    parameters: ["i32", "i32", "i32"],
    body(f, at, end, scratch) {
      const integer = () => f.local("i32");
      const four = () => f.local("v128");
      const step = (address: Code, by: number) => f.set(address, i32.add(address, i32.of(by)));
      const inScratch = (offset: number) => i32.add(scratch, i32.of(offset));
      const [rows, rowsEnd, isMean] = [integer(), integer(), integer()];
      const [list, listEnd, group, groupsEnd] = [integer(), integer(), integer(), integer()];
      const [a, d, row, slope, touched] = [integer(), integer(), integer(), integer(), integer()];
      const outputs = Array.from({ length: GROUP }, integer);
      const [x, y, spare] = [four(), four(), four()];
      const values = outputs.map(four);
      const sums = outputs.map(four);

      /** The body for every address in a list. */
      const each = (from: Code, to: Code, body: () => void) => {
        f.set(a, from);
        f.loop(
          () => {
            body();
            step(a, 4);
          },
          () => i32.below(a, to),
        );
      };
      /** The body for every place along a row. */
      const along = (by: number, body: () => void) => {
        f.set(d, i32.of(0));
        f.loop(
          () => {
            body();
            step(d, 16 * by);
          },
          () => i32.below(d, bytes),
        );
      };
      /** Asks for all cache lines of a row at once: they may lie far away, with the thread that wrote them last. */
      const touch = (address: Code) => {
        const lines = Array.from({ length: Math.ceil(vectors / 4) }, (_, k) => i32.load(address, 64 * k));
        f.set(
          touched,
          [touched, ...lines].reduce((sum, line) => i32.add(sum, line)),
        );
      };
      const takeMean = () => {
        f.set(y, f32x4.splat(f32.div(f32.of(1), f32.convert(i32.load(at)))));
        along(1, () => {
          f.set(x, f32x4.of(0));
          each(rows, rowsEnd, () => f.set(x, f32x4.add(x, f32x4.load(i32.add(i32.load(a), d)))));
          f.set(x, f32x4.mul(x, y));
          f.run(f32x4.store(i32.add(scratch, d), x, layout.hidden));
          f.run(f32x4.store(i32.add(scratch, d), x, layout.before));
        });
        f.run(i32.store(scratch, inScratch(layout.hidden), layout.pointer));
        f.set(list, inScratch(layout.pointer));
        f.set(listEnd, i32.add(list, i32.of(4)));
      };
      const giveBackMean = () =>
        along(1, () => {
          const changed = f32x4.load(i32.add(scratch, d), layout.hidden);
          f.set(x, f32x4.sub(changed, f32x4.load(i32.add(scratch, d), layout.before)));
          each(rows, rowsEnd, () => {
            f.set(row, i32.add(i32.load(a), d));
            f.run(f32x4.store(row, f32x4.add(f32x4.load(row), x)));
          });
        });
      /** The slopes of four of the group's outputs, from the sums of their products with an input. */
      const keepSlopes = (products: readonly Code[], first: number) => {
        setSums(f, x, spare, products);
        setLogistic(f, x, y, spare, madd);
        const missing = f32x4.sub(f32x4.load(group, 32 + 4 * first), x);
        f.run(f32x4.store(slope, f32x4.mul(missing, f32x4.load(group, 64 + 4 * first)), 4 * first));
      };
      const takeSlopes = () => {
        f.set(slope, inScratch(layout.slopes));
        each(list, listEnd, () => {
          for (const sum of sums) f.set(sum, f32x4.of(0));
          f.set(row, i32.load(a));
          along(unrolled, () => {
            for (let round = 0; round < unrolled; round++) {
              f.set(x, f32x4.load(i32.add(row, d), 16 * round));
              for (const [k, output] of outputs.entries())
                f.set(sums[k]!, madd(x, f32x4.load(i32.add(output, d), 16 * round), sums[k]!));
            }
          });
          keepSlopes(sums.slice(0, 4), 0);
          keepSlopes([sums[4]!, sums[5]!, sums[4]!, sums[5]!], 4);
          step(slope, 32);
        });
      };
      const change = () =>
        along(1, () => {
          for (const [k, output] of outputs.entries()) {
            f.set(values[k]!, f32x4.load(i32.add(output, d)));
            f.set(sums[k]!, values[k]!);
          }
          f.set(slope, inScratch(layout.slopes));
          each(list, listEnd, () => {
            f.set(row, i32.add(i32.load(a), d));
            f.set(x, f32x4.load(row));
            f.set(y, x);
            for (const [k, value] of values.entries()) {
              f.set(spare, f32x4.loadSplat(slope, 4 * k));
              f.set(y, madd(spare, value, y));
              f.set(sums[k]!, madd(spare, x, sums[k]!));
            }
            f.run(f32x4.store(row, y));
            step(slope, 32);
          });
          for (const [k, output] of outputs.entries()) f.run(f32x4.store(i32.add(output, d), sums[k]!));
        });

      f.loop(
        () => {
          f.set(rows, i32.add(at, i32.of(RECORD_HEAD)));
          f.set(rowsEnd, i32.add(rows, i32.mul(i32.load(at), i32.of(4))));
          f.set(isMean, i32.load(at, 4));
          f.set(group, rowsEnd);
          f.set(groupsEnd, i32.add(group, i32.mul(i32.load(at, 8), i32.of(GROUP_BYTES))));
          f.set(list, rows);
          f.set(listEnd, rowsEnd);
          each(rows, rowsEnd, () => {
            f.set(row, i32.load(a));
            touch(row);
          });
          f.when(isMean, takeMean);
          f.loop(
            () => {
              for (const [k, output] of outputs.entries()) f.set(output, i32.load(group, 4 * k));
              for (const output of outputs) touch(output);
              f.run(i32.store(scratch, touched, 8));
              takeSlopes();
              change();
              step(group, GROUP_BYTES);
            },
            () => i32.below(group, groupsEnd),
          );
          f.when(isMean, giveBackMean);
          f.set(at, groupsEnd);
        },
        () => i32.below(at, end),
      );
    },
  };
  return wasmModule({ train }, isShared);
}

/**
 * Sets x to ½ + ½ tanh(x / 2), the logistic function, by the quotient of polynomials that Eigen has for tanh
 * (https://gitlab.com/libeigen/eigen, MathFunctionsImpl.h): right to 1e-6.
 */
function setLogistic(
  f: FunctionBody,
  x: Code,
  square: Code,
  quotient: Code,
  madd: (a: Code, b: Code, c: Code) => Code,
): void {
  const half = f32x4.of(0.5);
  const above = [
    -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-8,
    1.48572235717979e-5, 6.37261928875436e-4, 4.89352455891786e-3,
  ];
  const below = [1.19825839466702e-6, 1.18534705686654e-4, 2.268434632439e-3, 4.89352518554385e-3];
  const polynomial = ([first, ...rest]: readonly number[]) =>
    rest.reduce((sum, one) => madd(sum, square, f32x4.of(one)), f32x4.of(first!));
  f.set(x, f32x4.min(f32x4.max(f32x4.mul(x, half), f32x4.of(-7.9)), f32x4.of(7.9)));
  f.set(square, f32x4.mul(x, x));
  f.set(quotient, f32x4.div(f32x4.mul(x, polynomial(above)), polynomial(below)));
  f.set(x, madd(half, quotient, half));
}

/** The smallest number of inputs that scratch memory has slopes for. */
export function contextsOf(window: number): number {
  return 2 * window;
}

/**
 * The training loop over a memory; fused where the platform has relaxed vector instructions. Null where it
 * has no vector instructions at all.
 */
export function trainKernel(
  dimension: number,
  contexts: number,
  memory: WebAssembly.Memory,
  isShared: boolean,
): TrainKernel | null {
  if (typeof WebAssembly === "undefined") return null;
  for (const isFused of [true, false]) {
    const code = trainModule(dimension, contexts, { isShared, isFused });
    if (!WebAssembly.validate(code)) continue;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(code), { "": { m: memory } });
    return instance.exports.train as TrainKernel;
  }
  return null;
}
