import { type Matrix, matrix, type Preprocessor, type Row, type Runtime, type Session } from "@graft-ml/core";
import { compute } from "../extract/compute.ts";

/** What rows are run through. */
export interface InferOptions {
  readonly session: Session;
  /** What the session belongs to. */
  readonly runtime: Runtime;
  readonly preprocessor: Preprocessor;
  /** Outputs wanted, each [batch, columns] float32. */
  readonly outputs: readonly string[];
  /**
   * Rows a run; always filled up to this number, so that a row's result does not depend on how many others
   * there are.
   */
  readonly batchSize: number;
  /** At a row whose input cannot be read: stop, or leave it out and list it. */
  readonly onError?: "fail" | "skip";
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Outputs by name, a row each row of `kept`; `skipped` says what was wrong with the others. */
export interface Inferred {
  readonly outputs: Readonly<Record<string, Matrix>>;
  /** Row numbers of the rows that were read, ascending. */
  readonly kept: Int32Array;
  readonly skipped: readonly string[];
}

/** Outputs of a model for rows, the same bits in training, prediction and verification. */
export async function infer(rows: readonly Row[], options: InferOptions): Promise<Inferred> {
  const {
    session,
    runtime,
    preprocessor,
    outputs,
    batchSize,
    onError = "fail",
    onProgress,
    signal,
  } = options;
  const failures = new Map<number, string>();
  const found = new Map(outputs.map((name) => [name, Array<Float32Array | null>(rows.length).fill(null)]));
  const wanted = Array.from(rows.keys(), (index) => ({ index }));
  let done = 0;
  await compute(wanted, {
    rows,
    preprocessor,
    session,
    lanes: runtime.lanes ?? 1,
    batchSize,
    outputs,
    onError: onError === "skip" ? "skip" : "stop",
    signal,
    async onBatch(batch, results) {
      for (const name of outputs) {
        const { columns, data } = results[name]!;
        for (const [row, { index }] of batch.entries())
          found.get(name)![index] = data.slice(row * columns, (row + 1) * columns);
      }
      onProgress?.((done += batch.length), rows.length);
    },
    onSkip({ index }, reason) {
      failures.set(index, reason);
      onProgress?.(++done, rows.length);
    },
  });
  const kept = Int32Array.from([...rows.keys()].filter((i) => !failures.has(i)));
  return {
    outputs: Object.fromEntries([...found].map(([name, all]) => [name, stacked(all, kept)])),
    kept,
    skipped: [...failures].sort(([a], [b]) => a - b).map(([, reason]) => reason),
  };
}

function stacked(all: readonly (Float32Array | null)[], kept: Int32Array): Matrix {
  const columns = kept.length === 0 ? 0 : all[kept[0]!]!.length;
  const stack = matrix(kept.length, columns);
  for (const [row, i] of kept.entries()) stack.data.set(all[i]!, row * columns);
  return stack;
}
