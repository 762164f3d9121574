import { addRowProducts, transposedProduct } from "../linalg/product.ts";
import type { Runtime, Session } from "../runtime/runtime.ts";
import { float32, type Matrix } from "../tensor.ts";
import { eachBlock, type FeatureBlocks } from "./feature-blocks.ts";
import {
  addBordered,
  type LinearRows,
  type Moment,
  nothingOf,
  productModel,
  turned,
  withoutIntercepts,
} from "./linear-rows.ts";

/**
 * Rows that stay where they are and are read once a pass, each divided by its `lengths` [N] (null for 1):
 * their scores are divided, which comes to the same. `moment` is an estimate from some of them. ONNX Runtime
 * does the products where there is one.
 */
export async function blockRows(
  source: FeatureBlocks,
  {
    lengths,
    moment,
    runtime,
  }: {
    readonly lengths: Float32Array | null;
    readonly moment: Moment;
    readonly runtime: Runtime | undefined;
  },
): Promise<LinearRows> {
  const { rows, columns } = source;
  const padded = columns + 1;
  const session = runtime === undefined ? null : await runtime.load(productModel());
  const finish = (scores: Float64Array, theta: Float64Array, K: number, from: number) => {
    const count = scores.length / K;
    for (let i = 0; i < count; i++) {
      const length = lengths?.[from + i] ?? 1;
      for (let k = 0; k < K; k++)
        scores[i * K + k] = scores[i * K + k]! / length + theta[k * padded + columns]!;
    }
  };
  const overBlocks = (
    theta: Float64Array,
    K: number,
    visit: (scores: Float64Array, from: number, products: BlockProducts) => Promise<void> | void,
  ) => {
    const coefficients = withoutIntercepts(theta, K, columns);
    return eachBlock(source, async (block, from) => {
      const products = session === null ? plainProducts(block, K) : await runtimeProducts(block, K, session);
      const scores = await products.scores(coefficients);
      finish(scores, theta, K, from);
      await visit(scores, from, products);
    });
  };
  return {
    rows,
    columns,
    rounding: session === null ? 1e-15 : 1e-7,
    data: null,
    sparse: null,
    async pass(theta, K, turn) {
      const gradient = new Float64Array(K * padded);
      await overBlocks(theta, K, async (scores, from, products) => {
        const count = scores.length / K;
        turn(scores, from, count);
        const left = scores.slice();
        if (lengths !== null)
          for (let i = 0; i < left.length; i++) left[i]! /= lengths[from + Math.floor(i / K)]!;
        addBordered(gradient, await products.gradient(left), scores, K);
      });
      return gradient;
    },
    async scores(theta, K) {
      const all = new Float64Array(rows * K);
      await overBlocks(theta, K, (scores, from) => all.set(scores, from * K));
      return all;
    },
    moment: async () => moment,
    lift: (theta) => theta,
    close: async () => session?.close(),
  };
}

/** Products of one block [count, D] with K columns. */
interface BlockProducts {
  /** Scores [count, K] of coefficients [K, D]. */
  scores(coefficients: Float64Array): Promise<Float64Array>;
  /** leftᵀ · block [K, D] for left [count, K]. */
  gradient(left: Float64Array): Promise<Float32Array | Float64Array>;
}

function plainProducts({ rows, columns, data }: Matrix, K: number): BlockProducts {
  return {
    async scores(coefficients) {
      const scores = new Float64Array(rows * K);
      addRowProducts(data, rows, coefficients, K, columns, scores);
      return scores;
    },
    gradient: async (left) => transposedProduct(left, K, data, columns, rows),
  };
}

async function runtimeProducts(block: Matrix, K: number, session: Session): Promise<BlockProducts> {
  const { rows, columns, data } = block;
  await session.bind({ x: float32([rows, columns], data) });
  const empty = (n: number) => float32([n, 1], new Float32Array(n));
  return {
    async scores(coefficients) {
      const right = new Float32Array(columns * K);
      for (let k = 0; k < K; k++)
        for (let j = 0; j < columns; j++) right[j * K + k] = coefficients[k * columns + j]!;
      const feeds = { coefficients: float32([columns, K], right), left: nothingOf(rows) };
      const answer = await session.run(feeds, ["scores"], { transfer: true });
      return Float64Array.from(answer.scores!.data as Float32Array);
    },
    async gradient(left) {
      const feeds = { coefficients: empty(columns), left: turned(left, rows, K) };
      const answer = await session.run(feeds, ["gradient"], { transfer: true });
      return answer.gradient!.data as Float32Array;
    },
  };
}
