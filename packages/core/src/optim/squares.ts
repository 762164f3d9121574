import { decayOption, flag, number, optimizer } from "./optimizer.ts";

/** Duchi, Hazan and Singer 2011, https://jmlr.org/papers/v12/duchi11a.html */
export const adagrad = optimizer(
  "Steps that shrink with all squares seen so far.",
  { epsilon: number(1e-10, "added to the root"), weightDecay: decayOption },
  ["square"],
  ({ p, g, state, from, to, rate, decay, settings: { epsilon } }) => {
    const sum = state.square!;
    for (let i = from; i < to; i++) {
      const gradient = g[i]! + decay * p[i]!;
      sum[i] = sum[i]! + gradient * gradient;
      p[i] = p[i]! - (rate * gradient) / (Math.sqrt(sum[i]!) + epsilon);
    }
  },
);

/** Tieleman and Hinton 2012, lecture 6.5; centred as in Graves 2013, https://arxiv.org/abs/1308.0850 */
export const rmsprop = optimizer(
  "Steps scaled by the root of the average square.",
  {
    alpha: number(0.99, "decay of the average square"),
    epsilon: number(1e-8, "added to the root"),
    momentum: number(0, "share of the last step kept"),
    centered: flag("subtract the square of the average"),
    weightDecay: decayOption,
  },
  ["square", "average", "velocity"],
  ({ p, g, state, from, to, rate, decay, settings: { alpha, epsilon, momentum, centered } }) => {
    const { square, average, velocity } = state;
    for (let i = from; i < to; i++) {
      const gradient = g[i]! + decay * p[i]!;
      square![i] = alpha * square![i]! + (1 - alpha) * gradient * gradient;
      let scale = square![i]!;
      if (centered) {
        average![i] = alpha * average![i]! + (1 - alpha) * gradient;
        scale = Math.max(0, scale - average![i]! * average![i]!);
      }
      const step = gradient / (Math.sqrt(scale) + epsilon);
      velocity![i] = momentum * velocity![i]! + step;
      p[i] = p[i]! - rate * velocity![i]!;
    }
  },
);

/** Zeiler 2012, https://arxiv.org/abs/1212.5701 */
export const adadelta = optimizer(
  "Steps as large as the last ones were, by the gradients' scale; a learning rate of 1 is usual.",
  {
    rho: number(0.9, "decay of the averages"),
    epsilon: number(1e-6, "added under the roots"),
    weightDecay: decayOption,
  },
  ["square", "moved"],
  ({ p, g, state, from, to, rate, decay, settings: { rho, epsilon } }) => {
    const { square, moved } = state;
    for (let i = from; i < to; i++) {
      const gradient = g[i]! + decay * p[i]!;
      square![i] = rho * square![i]! + (1 - rho) * gradient * gradient;
      const step = (Math.sqrt(moved![i]! + epsilon) / Math.sqrt(square![i]! + epsilon)) * gradient;
      moved![i] = rho * moved![i]! + (1 - rho) * step * step;
      p[i] = p[i]! - rate * step;
    }
  },
);

/**
 * Shazeer and Stern 2018, https://arxiv.org/abs/1804.04235, algorithm 4: of a matrix only the row and column
 * means of the squares are kept, in the first places of `rows` and `columns`; vectors keep theirs whole.
 * Updates are clipped to a root mean square of `clip`.
 */
export const adafactor = optimizer(
  "Scaled steps that remember rows and columns of squares, not all of them.",
  {
    decayPower: number(0.8, "β₂ is 1 − step^−power"),
    epsilon: number(1e-30, "added to the squares"),
    clip: number(1, "greatest root mean square of an update"),
    weightDecay: decayOption,
  },
  ["rows", "columns"],
  ({ p, g, state, slot, from, to, rate, step, decay, settings: { decayPower, epsilon, clip } }) => {
    const beta = 1 - step ** -decayPower;
    const { rows, columns } = state as { rows: typeof p; columns: typeof p };
    const width = slot.shape.length > 1 ? slot.shape.at(-1)! : 0;
    const height = width ? slot.length / width : 0;
    const isFactored = width > 1 && height > 1;
    let meanOfRows = 0;
    if (isFactored) {
      const columnSums = new Float64Array(width);
      for (let r = 0; r < height; r++) {
        let sum = 0;
        for (let c = 0; c < width; c++) {
          const square = g[from + r * width + c]! ** 2 + epsilon;
          sum += square;
          columnSums[c] = columnSums[c]! + square;
        }
        rows[from + r] = beta * rows[from + r]! + (1 - beta) * (sum / width);
        meanOfRows += rows[from + r]! / height;
      }
      for (let c = 0; c < width; c++)
        columns[from + c] = beta * columns[from + c]! + (1 - beta) * (columnSums[c]! / height);
    } else for (let i = from; i < to; i++) rows[i] = beta * rows[i]! + (1 - beta) * (g[i]! ** 2 + epsilon);
    const scaled = (i: number) => {
      const at = i - from;
      const square = isFactored
        ? (rows[from + Math.floor(at / width)]! * columns[from + (at % width)]!) / meanOfRows
        : rows[i]!;
      return g[i]! / Math.sqrt(square);
    };
    let total = 0;
    for (let i = from; i < to; i++) total += scaled(i) ** 2;
    const shrink = Math.max(1, Math.sqrt(total / (to - from)) / clip);
    for (let i = from; i < to; i++) p[i] = p[i]! * (1 - rate * decay) - (rate * scaled(i)) / shrink;
  },
);
