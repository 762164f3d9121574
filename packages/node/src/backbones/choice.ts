import { InputError } from "@graft-ml/core";
import type { ModelFiles } from "./files.ts";

/** In the order the hub's repositories keep them. */
const USUAL = ["onnx/model.onnx", "model.onnx"];

/** What exporters add to a name for copies with fewer bits, which train badly and answer differently. */
const REDUCED = /(^|[_\-./])(quant(ized)?|u?int[48]|q[48](f16)?|bnb4|fp16|bf16|f16)(?=[_\-./]|$)/i;

/** The model file: as named, else the usual one, else the only one in full precision. Throws where it stays open. */
export function chooseModel(files: ModelFiles): string {
  const { where, names, chosen } = files;
  const models = names.filter((name) => name.toLowerCase().endsWith(".onnx"));
  if (chosen !== null) {
    if (models.includes(chosen)) return chosen;
    throw new InputError(`${where} has no model ${chosen}; ${listed(models)}`);
  }
  const usual = USUAL.find((name) => models.includes(name));
  if (usual !== undefined) return usual;
  const full = models.filter((name) => !REDUCED.test(name));
  if (full.length === 1) return full[0]!;
  const how = where.startsWith("hf:") ? `${where}:FILE` : `the file itself`;
  if (models.length > 0) {
    const why = full.length === 0 ? "only models of reduced precision" : "several models";
    throw new InputError(`${where} has ${why} (${models.slice(0, 12).join(", ")}); pass ${how}`);
  }
  const weights = names.filter((name) => /\.(safetensors|bin|pt|pth|h5|msgpack|ckpt)$/i.test(name));
  const instead =
    weights.length > 0 ? `, only ${weights.slice(0, 4).join(", ")}, which Graft does not read` : "";
  throw new InputError(
    `${where} has no .onnx file${instead}; look for a repository with an ONNX export, or make one with "optimum-cli export onnx"`,
  );
}

function listed(models: readonly string[]): string {
  return models.length === 0 ? "it has no .onnx file" : `it has ${models.slice(0, 12).join(", ")}`;
}
