import { cutAt, type Option, resolveSettings } from "@graft-ml/core";
import { mlm as objective } from "../../pretrain/mlm.ts";
import { pretrainOptions } from "../../pretrain/settings.ts";
import { withHeadNames } from "../head-names.ts";
import { hiddenWords } from "../hidden-words.ts";
import type { TaskKind } from "../kind.ts";

const { masked } = pretrainOptions;
const words = {
  type: "number",
  default: 1000,
  min: 2,
  max: 50_000,
  about: "of a tagger's trunk: the commonest words, which are told apart; all others are one",
} as const satisfies Option;

/** Hidden tokens from those around them, as `graft pretrain --objective mlm` learns them, beside other tasks. */
export const mlm: TaskKind = {
  about: "hidden tokens from those around them; needs no labels, only helps the others",
  options: { masked, words },
  labels: "none",
  modality: "text",
  open(context) {
    const { name, trunk, layer, settings, rows, trained, inputs, random } = context;
    if (trunk.sentences) return hiddenWords(context);
    const at = layer ?? trunk.model.graph.outputs[0]!.name;
    const task = objective.open({
      opened: {
        backbone: trunk.backbone,
        model: cutAt(trunk.model, at),
        initialised: null,
        start: null,
        late: [],
      },
      inputs,
      settings: resolveSettings("mlm", pretrainOptions, { masked: settings.masked }),
      random,
    });
    const numbers = Int32Array.from(rows.keys());
    return {
      model: withHeadNames(task.model, trunk.model, name),
      layer: at,
      loss: task.loss,
      feeds: task.feeds,
      measure: task.measure,
      baseline: () => task.baseline.loss(numbers.subarray(0, trained), numbers.subarray(trained)),
    };
  },
};
