import { float } from "../ir/build.ts";
import { broadcast } from "../ir/extents.ts";
import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import { rule } from "./op.ts";

/** dA = dY·Bᵀ, dB = Aᵀ·dY; the runtime fuses the transposes into the products. */
export const MatMul = rule((g, at) => {
  const [a, b] = at.x as [Value, Value];
  const [rankA, rankB] = [at.rank(a), at.rank(b)];
  if (rankB === 2 && rankA >= 2 && at.shape(b).every((extent) => typeof extent === "number")) {
    // One product over all rows at once instead of one a batch item and a sum.
    const [inner, columns] = at.shape(b) as [number, number];
    const rows = (value: Value, width: number) => (rankA === 2 ? value : g.reshape(value, [-1, width]));
    return [
      () => (rankA === 2 ? g.op("Gemm", [at.dy, b], { transB: 1 }) : g.matmul(at.dy, g.transpose(b, [1, 0]))),
      () => {
        const [left, right] = [rows(a, inner), rows(at.dy, columns)];
        if (Math.min(inner, columns) < 64) return g.op("Gemm", [left, right], { transA: 1 });
        return inner <= columns
          ? g.op("Gemm", [turned(g, left, inner), right])
          : turned(g, g.op("Gemm", [turned(g, right, columns), left]), inner);
      },
    ];
  }
  // Vectors are matrices of one row or column for the while.
  const left = rankA === 1 ? g.unsqueeze(a, [0]) : a;
  const right = rankB === 1 ? g.unsqueeze(b, [1]) : b;
  let dy = at.dy;
  if (rankB === 1) dy = g.unsqueeze(dy, [Math.max(rankA - 1, 0)]);
  if (rankA === 1) dy = g.unsqueeze(dy, [Math.max(rankB, 2) - 2]);
  const batch = broadcast(at.shape(a).slice(0, -2), at.shape(b).slice(0, -2)) ?? [];
  const [, inner] = [0, at.shape(a).at(-1)!];
  const rows = rankA === 1 ? 1 : at.shape(a).at(-2)!;
  const columns = rankB === 1 ? 1 : at.shape(b).at(-1)!;
  return [
    () => {
      const da = g.matmul(dy, swapped(g, right, Math.max(rankB, 2)));
      return rankA === 1
        ? at.like(at.unbroadcast(g.reshape(da, [-1, inner as number]), [null, inner], a), a)
        : at.unbroadcast(da, [...batch, rows, inner], a);
    },
    () => {
      const db = g.matmul(swapped(g, left, Math.max(rankA, 2)), dy);
      return rankB === 1
        ? at.like(at.unbroadcast(g.reshape(db, [-1, inner as number]), [null, inner], b), b)
        : at.unbroadcast(db, [...batch, inner, columns], b);
    },
  ];
});

/** Y = α·A′·B′ + β·C, where ′ transposes as asked. */
export const Gemm = rule((g, at) => {
  const { dy } = at;
  const [a, b, c] = at.x as [Value, Value, Value];
  const [transA, transB] = [at.int("transA", 0), at.int("transB", 0)];
  const alpha = float(at.float("alpha", 1));
  const beta = at.float("beta", 1);
  return [
    () =>
      transA
        ? g.op("Gemm", [b, dy], { alpha, transA: transB, transB: 1 })
        : g.op("Gemm", [dy, b], { alpha, transB: 1 - transB }),
    () =>
      transB
        ? g.op("Gemm", [dy, a], { alpha, transA: 1, transB: transA })
        : g.op("Gemm", [a, dy], { alpha, transA: 1 - transA }),
    () => at.unbroadcast(beta === 1 ? dy : g.mul(beta, dy), at.shape(at.y), c),
  ];
});

/** The gradient of a term is the sum of products of the others with dY; letters nothing else has come from ones. */
export const Einsum = rule((g, at) => {
  const equation = at.text("equation", "").replaceAll(" ", "");
  if (equation.includes(".")) at.refuse("has an ellipsis; write its letters out before differentiating");
  const [left = "", given] = equation.split("->");
  const terms = left.split(",");
  if (terms.some((term) => new Set(term).size < term.length))
    at.refuse("takes a diagonal (a letter twice in one term), which has no gradient rule");
  const output = given ?? implied(terms);
  return terms.map((term, i) => () => {
    const others = terms.flatMap((other, j) => (j === i ? [] : [{ term: other, value: at.x[j]! }]));
    const factors = [{ term: output, value: at.dy }, ...others];
    const covered = new Set(factors.flatMap((factor) => [...factor.term]));
    if ([...term].some((letter) => !covered.has(letter))) factors.push({ term, value: g.onesLike(at.x[i]!) });
    const formula = `${factors.map((factor) => factor.term).join(",")}->${term}`;
    return g.op(
      "Einsum",
      factors.map((factor) => factor.value),
      { equation: formula },
    );
  });
});

/** Without an arrow the output has the letters that occur once, in order. */
function implied(terms: readonly string[]): string {
  const letters = [...terms.join("")];
  return letters
    .filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter))
    .sort()
    .join("");
}

/**
 * A matrix of so many columns turned, apart from products: a product that turns its first operand is a
 * quarter slower, so the narrower one is turned beforehand. It has an axis more meanwhile, or the runtime
 * would put the turning back into the product.
 */
export function turned(g: Formula, matrix: Value, columns: number): Value {
  return g.reshape(g.transpose(g.reshape(matrix, [1, -1, columns]), [0, 2, 1]), [columns, -1]);
}

/** The last two axes exchanged. */
export function swapped(g: Formula, value: Value, rank: number): Value {
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  [perm[rank - 1], perm[rank - 2]] = [rank - 2, rank - 1];
  return g.transpose(value, perm);
}
