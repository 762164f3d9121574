import {
  appendTagHead,
  cloneModel,
  type ExpectedTags,
  expectedTargets,
  type Feeds,
  headLoss,
  headOutputs,
  headTargets,
  type Model,
  type Random,
  type Runtime,
  type TagHead,
} from "@graft-ml/core";
import { TOKEN_PLACES } from "../tagging/sub-words.ts";
import { boundNetwork } from "./bound-network.ts";
import type { OpenTask } from "./kind.ts";
import type { LossScorer } from "./loss-scorer.ts";
import type { TaskInputs } from "./sentence-inputs.ts";
import { learntNames, type SentenceTrunk, sentenceModel } from "./sentence-trunk.ts";

/** What a task that has a class for each token is made of. */
export interface TokenTaskOptions {
  readonly head: TagHead;
  readonly inputs: TaskInputs;
  /** Class numbers of a row's tokens; a negative one has none. */
  labels?(row: number, epoch: number | null): Int32Array;
  /** In place of classes, what is expected of a row's tokens. */
  expected?(row: number): ExpectedTags;
  /** Changes what a batch is fed. */
  changed?(feeds: Feeds, rows: Int32Array, epoch: number | null): Feeds;
}

/** A head for each token: its networks, loss and feeds. */
export type TokenTask = Pick<OpenTask, "model" | "training" | "learns" | "layer" | "loss" | "feeds">;

/** The networks of a head for tokens on a tagger's trunk. */
export function onSentences(
  sentences: SentenceTrunk,
  layer: string | null,
  head: TagHead,
  random: Random,
): Pick<OpenTask, "model" | "training" | "learns" | "layer"> {
  const network = (isTraining: boolean): { model: Model; layer: string } => {
    const opened = sentences.open(layer, isTraining);
    appendTagHead(opened.builder, opened.at.states, opened.at.width, head, random);
    return { model: sentenceModel(opened, sentences), layer: opened.at.name };
  };
  const { model: training } = network(true);
  return { ...network(false), training, learns: learntNames(training, sentences) };
}

/** Networks with a head for tokens, its loss and what they are fed. */
export function tokenTask(
  network: Pick<OpenTask, "model" | "training" | "learns" | "layer">,
  { head, inputs, labels, expected, changed = (feeds) => feeds }: TokenTaskOptions,
): TokenTask {
  return {
    ...network,
    loss(g, graph, input) {
      const { shape } = graph.inputs.find(({ name }) => TOKENS.includes(name))!;
      const [rows, length] = shape as [number, number];
      return headLoss(g, graph, input, head, { rows, length });
    },
    async feeds(members, count, epoch) {
      const given = changed(await inputs.feeds(members, epoch), members, epoch);
      const [rows, length] = TOKENS.flatMap((name) => given[name]?.shape ?? []) as [number, number];
      const own = Array.from(members.subarray(0, count));
      const shape = { rows, length };
      return {
        ...given,
        ...(expected
          ? expectedTargets(head, own.map(expected), shape)
          : headTargets(
              head,
              own.map((row) => labels!(row, epoch)),
              shape,
            )),
      };
    },
  };
}

/** Inputs [sentences, tokens] of the trunks there are, one of which each has. */
const TOKENS = ["word_ids", TOKEN_PLACES];

/** Mean cross-entropy of the tokens of rows that have a class, of a head that scores each by itself. */
export async function tokenLossScorer(
  task: TokenTask,
  { inputs, labels, head, changed = (feeds) => feeds }: TokenTaskOptions,
  { runtime, rows }: { readonly runtime: Runtime; readonly rows: Int32Array },
): Promise<LossScorer> {
  const { session, set } = await boundNetwork(cloneModel(task.model), task.learns!, runtime);
  const batches = inputs.batches!(rows, null);
  const { logits } = headOutputs(head);
  return {
    async loss(parameters) {
      await set(parameters);
      let [sum, seen] = [0, 0];
      for (const { rows: members, count } of batches) {
        const feeds = changed(await inputs.feeds(members, null), members, null);
        const [, length] = feeds.word_ids!.shape as [number, number];
        const scores = (await session.run(feeds))[logits]!.data as Float32Array;
        for (const [i, row] of members.subarray(0, count).entries())
          for (const [t, label] of labels!(row, null).entries()) {
            if (label < 0) continue;
            const from = (i * length + t) * head.tags;
            sum -= logShare(scores.subarray(from, from + head.tags), label);
            seen++;
          }
      }
      return sum / Math.max(1, seen);
    },
    close: () => session.close(),
  };
}

function logShare(scores: Float32Array, at: number): number {
  const top = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return scores[at]! - top - Math.log(scores.reduce((sum, score) => sum + Math.exp(score - top), 0));
}
