import { expect, test } from "vitest";
import { random } from "../random.ts";
import { fixedProducts } from "./fixed-products.ts";

test.each([
  ["few numbers", 5, 7, 3],
  ["sizes that fill no vector", 67, 71, 5],
  ["one vector at a time, and more than before", 80, 64, 1],
])("products with a fixed matrix are those written out: %s", (_, n, r, W) => {
  const source = random(3);
  const drawn = (size: number) => Float64Array.from({ length: size }, () => source.normal());
  const z = drawn(n * r);
  const products = fixedProducts(z, n, r);
  for (const width of [W, 2 * W + 1, 1]) {
    const [y, left] = [drawn(width * r), drawn(n * width)];
    const scores = products.scores(y, width);
    const gradient = products.gradient(left, width);
    expect([scores.length, gradient.length]).toEqual([n * width, width * r]);
    for (let w = 0; w < width; w++) {
      for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let j = 0; j < r; j++) sum += z[i * r + j]! * y[w * r + j]!;
        expect(scores[i * width + w]).toBeCloseTo(sum, 10);
      }
      for (let j = 0; j < r; j++) {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += left[i * width + w]! * z[i * r + j]!;
        expect(gradient[w * r + j]).toBeCloseTo(sum, 10);
      }
    }
  }
});
