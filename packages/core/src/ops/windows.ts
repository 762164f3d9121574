import type { Value } from "../ir/graph.ts";
import type { Site } from "./op.ts";

/** The windows that a convolution or pooling slides over its spatial axes; every list has one entry an axis. */
export interface Windows {
  /** Spatial extents before and after. */
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding in front; behind, as far as windows reach: negative where they leave a rest of the input. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** The windows of a node that lead from `from` to `to`, whatever its padding is called. */
export function windowsOf(at: Site, from: Value, to: Value, kernel: readonly number[]): Windows {
  const input = spatial(at, from);
  const output = spatial(at, to);
  const strides = at.ints("strides") ?? kernel.map(() => 1);
  const dilations = at.ints("dilations") ?? kernel.map(() => 1);
  const needed = output.map(
    (n, i) => (n - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1 - input[i]!,
  );
  const auto = at.text("auto_pad", "NOTSET");
  const pads = at.ints("pads");
  const before = needed.map((total, i) => {
    if (auto === "VALID") return 0;
    if (auto === "SAME_UPPER") return Math.floor(Math.max(total, 0) / 2);
    if (auto === "SAME_LOWER") return Math.ceil(Math.max(total, 0) / 2);
    return pads?.[i] ?? 0;
  });
  return { input, output, kernel, strides, dilations, before, after: needed.map((n, i) => n - before[i]!) };
}

function spatial(at: Site, value: Value): readonly number[] {
  const extents = at.shape(value).slice(2);
  if (extents.every((extent) => typeof extent === "number")) return extents as number[];
  return at.refuse(`needs the height and width of "${value.name}"; give the shapes of the inputs in "given"`);
}
