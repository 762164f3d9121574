import { readSafetensors, writeSafetensors } from "../data/safetensors.ts";
import { InputError } from "../errors.ts";
import type { Model } from "../ir/graph.ts";
import { random } from "../random.ts";
import type { Tensor } from "../tensor.ts";
import { type Adapter, addLora, turned } from "./lora.ts";
import type { Parameters } from "./state.ts";

/** Names of the files of an adapter, as PEFT has them. */
export const adapterFileNames = {
  weights: "adapter_model.safetensors",
  config: "adapter_config.json",
} as const;

/**
 * An adapter apart from its model: `adapter_model.safetensors` with PEFT's names and layouts (A [r, in…], B
 * [out, r]) and
 * `adapter_config.json`. `base` names the model it belongs to.
 */
export function writeAdapter(
  adapter: Adapter,
  parameters: Parameters,
  base: string | null = null,
): Readonly<Record<string, string | Uint8Array>> {
  const tensors = new Map<string, Tensor>();
  for (const layer of adapter.layers)
    for (const name of [layer.a, layer.b]) {
      const tensor = parameters.get(name);
      if (!tensor) throw new InputError(`the adapter's parameter "${name}" is not among those given`);
      tensors.set(name, turned(tensor, layer));
    }
  const config = {
    peft_type: "LORA",
    base_model_name_or_path: base,
    task_type: null,
    inference_mode: true,
    r: adapter.rank,
    lora_alpha: adapter.alpha,
    lora_dropout: 0,
    bias: "none",
    fan_in_fan_out: false,
    init_lora_weights: true,
    modules_to_save: null,
    target_modules: adapter.layers.map(({ layer }) => layer),
  };
  return {
    [adapterFileNames.weights]: writeSafetensors(tensors, { format: "pt" }),
    [adapterFileNames.config]: `${JSON.stringify(config, null, 2)}\n`,
  };
}

/**
 * Lays a stored adapter beside the weights of its model again. Throws an InputError where the files and the
 * model do not agree: a module that is not there, a parameter missing, left over or of another shape.
 */
export function readAdapter(
  model: Model,
  files: { readonly weights: Uint8Array; readonly config: string },
): { model: Model; adapter: Adapter; parameters: Parameters } {
  const { rank, alpha, targets } = settingsOf(files.config);
  const { tensors } = readSafetensors(files.weights, adapterFileNames.weights);
  const stored = new Set([...tensors.keys()].map((name) => name.replace(/\.lora_[AB]\.weight$/, "")));
  const layers = [...stored].map((name) => name.replace(/^base_model\.model\./, ""));
  const unlisted = layers.find(
    (layer) => !targets.some((target) => layer === target || layer.endsWith(`.${target}`)),
  );
  if (unlisted !== undefined)
    throw new InputError(
      `${adapterFileNames.config} does not list the module "${unlisted}" that has an adapter`,
    );
  const made = addLora(model, { rank, alpha, targets: layers, random: random(0) });
  const expected = new Map(
    [...made.model.graph.initializers].map(([value, tensor]) => [value.name, tensor] as const),
  );
  const parameters = new Map<string, Tensor>();
  for (const layer of made.adapter.layers)
    for (const name of [layer.a, layer.b]) {
      const given = tensors.get(name);
      if (!given) throw new InputError(`${adapterFileNames.weights} has no tensor "${name}"`);
      const tensor = turned(given, layer);
      const wanted = expected.get(name)!.shape;
      if (tensor.dtype !== "float32" || tensor.shape.join() !== wanted.join())
        throw new InputError(
          `${adapterFileNames.weights}: "${name}" is ${tensor.dtype} [${tensor.shape.join(", ")}], but the model needs float32 [${wanted.join(", ")}]`,
        );
      parameters.set(name, tensor);
    }
  const surplus = [...tensors.keys()].find((name) => !parameters.has(name));
  if (surplus !== undefined)
    throw new InputError(`${adapterFileNames.weights}: "${surplus}" belongs to no weight of the model`);
  for (const value of made.model.graph.initializers.keys()) {
    const tensor = parameters.get(value.name);
    if (tensor) made.model.graph.initializers.set(value, tensor);
  }
  return { ...made, parameters };
}

function settingsOf(text: string): { rank: number; alpha: number; targets: readonly string[] } {
  let config: Record<string, unknown>;
  try {
    config = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new InputError(`${adapterFileNames.config} is not JSON (${(error as Error).message})`);
  }
  const { peft_type: type, r: rank, lora_alpha: alpha, target_modules: targets, bias = "none" } = config;
  const isPlain =
    type === "LORA" && bias === "none" && config.use_dora !== true && config.use_rslora !== true;
  if (!isPlain || typeof rank !== "number" || typeof alpha !== "number" || !Array.isArray(targets))
    throw new InputError(
      `${adapterFileNames.config} describes no plain LoRA adapter (peft_type LORA, bias none, r, lora_alpha and a list of target_modules)`,
    );
  return { rank, alpha, targets: targets.map(String) };
}
