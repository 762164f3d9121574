import { cutAt, resolveSettings } from "@graft-ml/core";
import { mlm as objective } from "../../pretrain/mlm.ts";
import { pretrainOptions } from "../../pretrain/settings.ts";
import { withHeadNames } from "../head-names.ts";
import type { TaskKind } from "../kind.ts";

const { masked } = pretrainOptions;

/** Hidden tokens from those around them, as `graft pretrain --objective mlm` learns them, beside other tasks. */
export const mlm: TaskKind = {
  about: "hidden tokens from those around them; needs no labels, only helps the others",
  options: { masked },
  labels: "none",
  modality: "text",
  open({ name, trunk, layer, settings, rows, trained, inputs, random }) {
    const at = layer ?? trunk.model.graph.outputs[0]!.name;
    const task = objective.open({
      opened: { backbone: trunk.backbone, model: cutAt(trunk.model, at), initialised: null },
      inputs,
      settings: resolveSettings("mlm", pretrainOptions, settings),
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
