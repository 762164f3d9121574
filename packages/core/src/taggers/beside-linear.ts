import { build } from "../ir/build.ts";
import { cloneModel } from "../ir/clone.ts";
import type { Model } from "../ir/graph.ts";
import { float32, int64 } from "../tensor.ts";
import { linearFeatures } from "./linear-features.ts";
import type { LinearTagger } from "./perceptron.ts";
import { headOutputs, type TagHead } from "./tag-head.ts";

/**
 * A tagger's network with a linear tagger beside it: scores of whole sequences that are those of both,
 * weighted by 1 − `share` and `share`, a product of experts (Hinton 2002, doi:10.1162/089976602760128018),
 * and divided by `temperature`: where one is unsure of everything, their product would be, too.
 * What one has learnt by heart and the other has generalised differ, and so do their errors. The head given
 * back is one of sequences, called as before.
 */
export function besideLinear(
  model: Model,
  head: TagHead,
  tagger: LinearTagger,
  { share, temperature = 1 }: { readonly share: number; readonly temperature?: number },
): { readonly model: Model; readonly head: TagHead } {
  const copy = cloneModel(model);
  const { graph } = copy;
  const { tags, name } = head;
  const [ownScale, linearScale] = [(1 - share) / temperature, share / temperature];
  const names = headOutputs(head);
  const own = graph.outputs.find((value) => value.name === names.logits)!;
  const before = [...graph.initializers].find(([value]) => value.name === `${name}.transitions`)?.[1];
  // Names of values and nodes that what is appended takes over.
  const taken = new Map([
    [names.logits, `${name}.own`],
    [names.transitions, `${name}.own.transitions`],
  ]);
  for (const node of graph.nodes) {
    node.name = taken.get(node.name) ?? node.name;
    for (const value of node.outputs) if (value) value.name = taken.get(value.name) ?? value.name;
  }
  const made = new Set(taken.values());
  graph.outputs = graph.outputs.filter((value) => !made.has(value.name));
  const b = build(graph);
  const ids = b.input("feature_ids", "int64", ["batch", "length", linearFeatures(1).count]);
  const scaled = (values: ArrayLike<number>) => Float32Array.from(values, (value) => linearScale * value);
  const rows = tagger.weights.length / tags;
  const table = b.constant(float32([rows, tags], scaled(tagger.weights)), `${name}.beside`);
  const each = b.apply("Gather", [table, ids], { axis: 0 });
  const linear = b.apply("ReduceSum", [each, int64([1], [2])], { keepdims: 0 });
  const logs = head.kind === "softmax" ? b.apply("LogSoftmax", [own], { axis: -1 }) : own;
  const sum = b.apply("Add", [b.apply("Mul", [logs, ownScale]), linear], {}, { name: names.logits });
  const shape = ["batch", "length", tags];
  const { start, between, end } = tagger.transitions;
  const moves = scaled([...between, ...start, ...end]);
  const kept = before?.data as Float32Array | undefined;
  if (kept) for (let i = 0; i < moves.length; i++) moves[i] = moves[i]! + ownScale * kept[i]!;
  const all = b.constant(float32([tags + 2, tags], moves), `${name}.both.transitions`);
  const shown = b.apply("Identity", [all], {}, { name: names.transitions });
  graph.outputs.push(
    Object.assign(sum, { dtype: "float32" as const, shape }),
    Object.assign(shown, { dtype: "float32" as const, shape: [tags + 2, tags] }),
  );
  return { model: copy, head: { ...head, kind: "crf" } };
}
