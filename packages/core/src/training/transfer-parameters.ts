import { InputError } from "../errors.ts";
import type { Model } from "../ir/graph.ts";
import { float32, type Tensor } from "../tensor.ts";
import { matchesGlob, type Parameter, parametersOf } from "./parameters.ts";
import { withParameters } from "./plan.ts";
import type { Parameters } from "./state.ts";

/** How parameters go from one model to another. */
export interface TransferOptions {
  /** Parameters that may stay as they are in the target: names or patterns with `*` and `**`. */
  readonly allowMissing?: readonly string[];
  /** The source's name for a parameter of the target, where they differ. */
  readonly rename?: (name: string) => string;
}

/** What came of a transfer: nothing is taken or left in silence. */
export interface Transferred {
  readonly model: Model;
  readonly taken: readonly { readonly name: string; readonly from: string; readonly transposed: boolean }[];
  /** Parameters of the source that were not used, and why. */
  readonly skipped: readonly { readonly name: string; readonly why: string }[];
  /** Parameters of the target that stayed as they were. */
  readonly missing: readonly string[];
}

const PREFIXES = /^(module|model|base_model\.model|backbone|bert|roberta)\./;
const ROLE_NAMES: Readonly<Record<Parameter["role"], readonly string[]>> = {
  weight: ["weight", "kernel"],
  bias: ["bias"],
  scale: ["weight", "gamma", "scale"],
  shift: ["bias", "beta"],
  embedding: ["weight"],
  statistic: ["running_mean", "running_var"],
};

/**
 * A copy of `to` with the parameters of `from` (a model, or tensors as a safetensors file has them) that fit
 * by name and shape. Beside equal names, a module's path with PyTorch's ending counts
 * ("encoder.layer.0.attention.self.query.weight" for a weight that the export renamed), with or without
 * prefixes such as "bert."; a dense weight is then turned where the operator wants inputs first. Throws an
 * InputError where parameters of `to` would stay as they are without being allowed.
 */
export function transferParameters(
  from: Model | Parameters,
  to: Model,
  options: TransferOptions = {},
): Transferred {
  const { allowMissing = [], rename = (name) => name } = options;
  const source = "graph" in from ? new Map(parametersOf(from).map((one) => [one.name, one.tensor])) : from;
  const stripped = new Map([...source.keys()].map((name) => [strip(name), name]));
  const taken: { name: string; from: string; transposed: boolean }[] = [];
  const reasons = new Map<string, string>();
  const missing: string[] = [];
  const found = new Map<string, Tensor>();
  for (const parameter of parametersOf(to)) {
    const candidates = [
      parameter.name,
      ...ROLE_NAMES[parameter.role].map((end) => `${parameter.layer}.${end}`),
    ]
      .filter((name) => parameter.role !== "statistic" || name === parameter.name || agrees(parameter, name))
      .map(rename);
    const name = candidates
      .map((one) => (source.has(one) ? one : stripped.get(strip(one))))
      .find((one) => one !== undefined);
    const given = name === undefined ? undefined : source.get(name);
    if (name === undefined || !given) {
      missing.push(parameter.name);
      continue;
    }
    const isDirect = name === rename(parameter.name);
    const fitted = fit(given, parameter, isDirect);
    if (typeof fitted === "string") {
      reasons.set(name, fitted);
      missing.push(parameter.name);
      continue;
    }
    found.set(parameter.name, fitted.tensor);
    taken.push({ name: parameter.name, from: name, transposed: fitted.transposed });
  }
  const refused = missing.filter((name) => !allowMissing.some((pattern) => matchesGlob(pattern, name)));
  if (refused.length > 0)
    throw new InputError(
      `${refused.length} parameters get nothing from the source: ${refused.slice(0, 5).join(", ")}${refused.length > 5 ? " …" : ""}${[
        ...reasons,
      ]
        .slice(0, 2)
        .map(([name, why]) => `; "${name}": ${why}`)
        .join("")}. Allow them to stay as they are (allowMissing), or rename`,
    );
  const used = new Set(taken.map((one) => one.from));
  const skipped = [...source.keys()]
    .filter((name) => !used.has(name))
    .map((name) => ({ name, why: reasons.get(name) ?? "the target has no parameter of this name" }));
  return { model: withParameters(to, found), taken, skipped, missing };
}

function fit(
  given: Tensor,
  { tensor, role, operator }: Parameter,
  isDirect: boolean,
): { tensor: Tensor; transposed: boolean } | string {
  if (given.dtype !== tensor.dtype) return `it holds ${given.dtype}, the target ${tensor.dtype}`;
  const same = given.shape.join() === tensor.shape.join();
  // Under PyTorch's name a dense weight is [out, in]; MatMul takes [in, out].
  const turns =
    !isDirect &&
    role === "weight" &&
    operator === "MatMul" &&
    given.shape.length === 2 &&
    tensor.shape.length === 2;
  if (turns && given.shape[0] === tensor.shape[1] && given.shape[1] === tensor.shape[0])
    return { tensor: transposed(given), transposed: true };
  if (!same || turns)
    return `its shape is [${given.shape.join(", ")}], the target's [${tensor.shape.join(", ")}]`;
  return { tensor: given, transposed: false };
}

function transposed(tensor: Tensor): Tensor {
  const [rows, columns] = tensor.shape as [number, number];
  const data = tensor.data as Float32Array;
  const out = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j]!;
  return float32([columns, rows], out);
}

/** A stored mean takes a mean and a variance a variance. */
function agrees({ name }: Parameter, candidate: string): boolean {
  return /var/i.test(name) === /var/i.test(candidate);
}

function strip(name: string): string {
  const without = name.replace(PREFIXES, "");
  return without === name ? name : strip(without);
}
