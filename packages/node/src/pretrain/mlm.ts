import {
  build,
  cloneModel,
  float32,
  GIVEN_EMBEDDINGS,
  InputError,
  int64,
  ints,
  type Model,
  TOKEN_EMBEDDINGS,
  type Value,
} from "@graft-ml/core";
import { SPECIAL_TOKENS } from "../texts/index.ts";
import type { Objective, PretrainingTask, TaskContext } from "./task.ts";

/**
 * Tokens from those around them (Devlin et al. 2019, section 3.1, https://arxiv.org/abs/1810.04805): of the
 * tokens to be guessed 80 % are hidden, 10 % replaced by others and 10 % left. The output is tied to the
 * embeddings.
 */
export const mlm: Objective = {
  about: "hidden tokens of texts from those around them, by cross-entropy over the whole vocabulary",
  open: maskedLanguage,
};

const MASK = SPECIAL_TOKENS.indexOf("[MASK]");
const [HIDDEN, REPLACED] = [0.8, 0.9];

function maskedLanguage({ opened, inputs, settings, random }: TaskContext): PretrainingTask {
  const { model, backbone } = opened;
  const table = [...model.graph.initializers].find(([{ name }]) => name === TOKEN_EMBEDDINGS);
  if (!table)
    throw new InputError(
      `${backbone.name} gives no row for each token, which the objective mlm guesses from; take transformer-small`,
    );
  if ([...model.graph.initializers.keys()].some(({ name }) => name === GIVEN_EMBEDDINGS))
    throw new InputError(
      `${backbone.name}: the objective mlm guesses among tokens that learn, and given vectors do not; leave out the vectors, or pretrain with labels`,
    );
  const [vocabulary] = table[1].shape as [number, number];
  const { masked } = settings;
  const guessable = vocabulary - SPECIAL_TOKENS.length;
  /** Rows of the batch × most tokens of a row that are guessed: one extent for all texts of one length. */
  const most = (rows: number, extent: number) => rows * Math.max(1, Math.round(masked * extent));
  const feeds: PretrainingTask["feeds"] = async (rows, count, epoch) => {
    const given = await inputs.feeds(rows, epoch);
    const [ids, mask] = [given.input_ids!, given.attention_mask!];
    const [, extent] = ids.shape as [number, number];
    const seen = (ids.data as BigInt64Array).slice();
    const source = random.fork(epoch === null ? "held out" : `epoch ${epoch}`);
    const size = most(rows.length, extent);
    const places = new Array<number>(size).fill(0);
    const tokens = new Array<number>(size).fill(0);
    let found = 0;
    for (let i = 0; i < count; i++) {
      const own = source.fork(`row ${rows[i]!}`);
      const real = Array.from({ length: extent }, (_, j) => i * extent + j).filter(
        (at) => Number((mask.data as BigInt64Array)[at]) === 1,
      );
      const chosen = own.permutation(real.length).subarray(0, Math.max(1, Math.round(masked * real.length)));
      for (const one of chosen) {
        const at = real[one]!;
        places[found] = at;
        tokens[found] = Number(seen[at]);
        found++;
        const draw = own.uniform();
        if (draw < HIDDEN) seen[at] = BigInt(MASK);
        else if (draw < REPLACED) seen[at] = BigInt(SPECIAL_TOKENS.length + own.integer(guessable));
      }
    }
    const weights = new Float32Array(size).fill(1 / Math.max(1, found), 0, found);
    return {
      ...given,
      input_ids: { ...ids, data: seen },
      places: int64([size], places),
      tokens: int64([size, 1], tokens),
      weights: float32([size, 1], weights),
    };
  };
  return {
    model: withTiedOutput(model),
    feeds,
    loss(g, graph, input) {
      const places = graph.inputs.find(({ name }) => name === "places")!.shape![0]!;
      const guesses = g.op("LogSoftmax", [graph.outputs[0]!], { axis: -1 });
      const right = g.op("GatherElements", [guesses, input("tokens", "int64", [places, 1])], { axis: 1 });
      return g.neg(g.sum(g.mul(input("weights", "float32", [places, 1]), right)));
    },
    measure: "mean cross-entropy of a hidden token, in nats",
    baseline: {
      about: "how often each token occurs in the training rows, whatever stands around it",
      async loss(train, heldOut) {
        const counts = new Float64Array(vocabulary).fill(1);
        for (const row of train) {
          const { input_ids: ids, attention_mask: mask } = await inputs.feeds(Int32Array.of(row), null);
          for (const [i, id] of (ids!.data as BigInt64Array).entries())
            if ((mask!.data as BigInt64Array)[i] === 1n) counts[Number(id)]!++;
        }
        const total = counts.reduce((sum, count) => sum + count, 0);
        let loss = 0;
        let guessed = 0;
        for (const row of heldOut) {
          const { tokens, weights } = await feeds(Int32Array.of(row), 1, null);
          for (const [i, token] of (tokens!.data as BigInt64Array).entries()) {
            if ((weights!.data as Float32Array)[i] === 0) continue;
            loss -= Math.log(counts[Number(token)]! / total);
            guessed++;
          }
        }
        return loss / Math.max(1, guessed);
      },
    },
  };
}

/** The encoder with scores of every token at `places`, which count through the batch row by row: hidden · Eᵀ + b. */
function withTiedOutput(model: Model): Model {
  const copy = cloneModel(model);
  const { graph } = copy;
  const b = build(graph);
  const [table, { shape }] = [...graph.initializers].find(([{ name }]) => name === TOKEN_EMBEDDINGS)!;
  const [vocabulary, width] = shape as [number, number];
  const hidden: Value = graph.outputs[0]!;
  const places = b.input("places", "int64", ["places"]);
  const rows = b.apply("Gather", [b.apply("Reshape", [hidden, ints([-1, width])]), places], { axis: 0 });
  const scores = b.apply("MatMul", [rows, b.apply("Transpose", [table], { perm: [1, 0] })]);
  const bias = b.constant(float32([vocabulary], new Float32Array(vocabulary)), "language.bias");
  const logits = b.apply("Add", [scores, bias], {}, { name: "logits" });
  graph.outputs = [Object.assign(logits, { dtype: "float32", shape: ["places", vocabulary] })];
  return copy;
}
