import { leadingVectors } from "../linalg/leading-vectors.ts";
import { columnGram, rowGram } from "../linalg/product.ts";
import { random } from "../random.ts";
import type { Matrix } from "../tensor.ts";

/** Rows seen from the directions in which they differ most. */
export interface PrincipalComponents {
  /** Where each row lies [N, count]; its sign is such that the direction's number of greatest size is positive. */
  readonly scores: Float64Array;
  /** Share of the rows' variance along each direction [count]. */
  readonly explained: Float64Array;
}

/**
 * The first principal components of features [N, D] (Pearson 1901, doi:10.1080/14786440109462720), by the
 * eigenvectors of the covariance or, where rows are fewer than columns, of the rows' inner products.
 * Directions beyond the rank are 0.
 */
export function principalComponents(features: Matrix, count: number): PrincipalComponents {
  const { rows: n, columns: d } = features;
  const centred = centredRows(features);
  const byRows = n < d;
  const gram = byRows ? rowGram(centred, n, d) : columnGram(centred, n, d);
  const size = byRows ? n : d;
  const { values, vectors } = leadingVectors(gram, size, count, random(0));
  const total = centred.reduce((sum, value) => sum + value * value, 0);
  const rounding = 1e-13 * features.data.reduce((sum, value) => sum + value * value, 0);
  const scores = new Float64Array(n * count);
  const explained = new Float64Array(count);
  for (let c = 0; c < values.length; c++) {
    if (!(values[c]! > rounding)) continue;
    explained[c] = values[c]! / total;
    const direction = new Float64Array(d);
    const vector = vectors.subarray(c * size, (c + 1) * size);
    if (byRows)
      for (let i = 0; i < n; i++)
        for (let k = 0; k < d; k++) direction[k]! += vector[i]! * centred[i * d + k]!;
    else direction.set(vector);
    const length = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
    const greatest = direction.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
    const scale = Math.sign(greatest) / length;
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += centred[i * d + k]! * direction[k]!;
      scores[i * count + c] = scale * sum;
    }
  }
  return { scores, explained };
}

function centredRows({ rows: n, columns: d, data }: Matrix): Float64Array {
  const means = new Float64Array(d);
  for (let i = 0; i < n; i++) for (let k = 0; k < d; k++) means[k]! += data[i * d + k]! / n;
  return Float64Array.from(data, (value, o) => value - means[o % d]!);
}
