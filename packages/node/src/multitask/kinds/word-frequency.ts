import { build, cloneModel, float32, int64, type TagHead } from "@graft-ml/core";
import { withHeadNames } from "../head-names.ts";
import type { KindContext, OpenTask, TaskKind } from "../kind.ts";
import { overSentences } from "../sentence-trunk.ts";
import { tokenRows } from "../token-rows.ts";
import { onSentences, tokenLossScorer, tokenTask } from "../token-task.ts";

/**
 * How often each token occurs in the training texts, ⌊log count⌋, from the token in its context (Plank,
 * Søgaard and Goldberg 2016, section 2.1, https://arxiv.org/abs/1604.05529): labels that every text has, and
 * that say which words are rare.
 */
export const wordFrequency: TaskKind = {
  about: "how often each token occurs, from its context; needs no labels, only helps the others",
  options: {},
  labels: "none",
  modality: "text",
  open,
};

async function open(context: KindContext): Promise<OpenTask> {
  return context.trunk.sentences ? ofWords(context) : await ofTokens(context);
}

/** Over a tagger's trunk: words as they are written. */
function ofWords(context: KindContext): OpenTask {
  const { name, layer, rows, trained, random } = context;
  const counts = new Map<string, number>();
  for (const { tokens } of rows.slice(0, trained))
    for (const word of tokens!.texts) counts.set(word, (counts.get(word) ?? 0) + 1);
  const binOf = (word: string) => Math.floor(Math.log(counts.get(word) ?? 1));
  const bins =
    1 + [...counts.values()].reduce((most, count) => Math.max(most, Math.floor(Math.log(count))), 0);
  const head: TagHead = { name: `heads.${name}`, kind: "softmax", tags: bins };
  const classes = rows.map(({ tokens }) => Int32Array.from(tokens!.texts, binOf));
  const over = overSentences("word-frequency", context);
  const options = {
    inputs: over.inputs,
    ...{ head, labels: (row: number) => classes[row]! },
  };
  const task = tokenTask(onSentences(over.sentences, layer, head, random), options);
  return {
    ...task,
    measure: MEASURE,
    openScorer: (runtime, held) => tokenLossScorer(task, options, { runtime, rows: held }),
    async baseline() {
      const shares = new Float64Array(bins).fill(1);
      for (const own of classes.slice(0, trained)) for (const bin of own) shares[bin]!++;
      return blindLoss(
        shares,
        classes.slice(trained).flatMap((own) => Array.from(own)),
      );
    },
  };
}

const MEASURE = "mean cross-entropy of a token's frequency class, in nats";

/** Cross-entropy of classes guessed by how often each is met. */
function blindLoss(shares: Float64Array, classes: readonly number[]): number {
  const total = shares.reduce((sum, one) => sum + one, 0);
  return (
    classes.reduce((loss, one) => loss - Math.log(shares[one]! / total), 0) / Math.max(1, classes.length)
  );
}

async function ofTokens({ name, trunk, layer, rows, trained, inputs }: KindContext): Promise<OpenTask> {
  const made = tokenRows(trunk.model, layer);
  const counts = new Map<number, number>();
  const tokensOf = async (row: number) => {
    const { input_ids: ids, attention_mask: mask } = await inputs.feeds(Int32Array.of(row), null);
    const real = mask?.data as BigInt64Array | undefined;
    return Array.from(ids!.data as BigInt64Array, Number).filter(
      (_, i) => real === undefined || real[i] === 1n,
    );
  };
  for (let row = 0; row < trained; row++)
    for (const id of await tokensOf(row)) counts.set(id, (counts.get(id) ?? 0) + 1);
  /** A token that never occurred counts as one that did once. */
  const binOf = (id: number) => Math.floor(Math.log(counts.get(id) ?? 1));
  const bins = 1 + Math.max(0, ...[...counts.values()].map((count) => Math.floor(Math.log(count))));
  const model = cloneModel(made.model);
  const b = build(model.graph);
  const weight = b.constant(
    float32([made.dimension, bins], new Float32Array(made.dimension * bins)),
    "weight",
  );
  const bias = b.constant(float32([bins], new Float32Array(bins)), "bias");
  const scores = b.apply(
    "Add",
    [b.apply("MatMul", [model.graph.outputs[0]!, weight]), bias],
    {},
    { name: "scores" },
  );
  model.graph.outputs = [Object.assign(scores, { dtype: "float32", shape: ["tokens", bins] })];
  return {
    model: withHeadNames(model, trunk.model, name),
    layer: made.layer,
    measure: MEASURE,
    loss(g, graph, input) {
      const [rowsOf, length] = graph.inputs.find(({ name: one }) => one === "input_ids")!.shape as [
        number,
        number,
      ];
      const tokens = typeof rowsOf === "number" && typeof length === "number" ? rowsOf * length : "tokens";
      const guesses = g.op("LogSoftmax", [graph.outputs[0]!], { axis: -1 });
      const right = g.op("GatherElements", [guesses, input("bins", "int64", [tokens, 1])], { axis: 1 });
      return g.neg(g.sum(g.mul(input("weights", "float32", [tokens, 1]), right)));
    },
    async feeds(members, count, epoch) {
      const given = await inputs.feeds(members, epoch);
      const ids = given.input_ids!;
      const [, length] = ids.shape as [number, number];
      const real = given.attention_mask?.data as BigInt64Array | undefined;
      const counted = Array.from(ids.data as BigInt64Array, (_, i) =>
        i < count * length && (real === undefined || real[i] === 1n) ? 1 : 0,
      );
      const total = Math.max(
        1,
        counted.reduce<number>((sum, one) => sum + one, 0),
      );
      return {
        ...given,
        bins: int64(
          [ids.data.length, 1],
          Array.from(ids.data as BigInt64Array, (id) => Math.min(bins - 1, binOf(Number(id)))),
        ),
        weights: float32(
          [ids.data.length, 1],
          counted.map((one) => one / total),
        ),
      };
    },
    async baseline() {
      const shares = new Float64Array(bins).fill(1);
      for (const [id, count] of counts) shares[binOf(id)]! += count;
      const held: number[] = [];
      for (let row = trained; row < rows.length; row++)
        for (const id of await tokensOf(row)) held.push(Math.min(bins - 1, binOf(id)));
      return blindLoss(shares, held);
    },
  };
}
