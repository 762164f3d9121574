import type { Feeds, TagHead, Tensor } from "@graft-ml/core";
import type { KindContext, OpenTask } from "./kind.ts";
import { overSentences } from "./sentence-trunk.ts";
import { onSentences, tokenLossScorer, tokenTask } from "./token-task.ts";

/**
 * Hidden words from those around them over a tagger's trunk: of a share of the tokens nothing is shown,
 * neither word nor vector, affixes or characters, and the head says which of the commonest words stands
 * there.
 */
export function hiddenWords(context: KindContext): OpenTask {
  const { name, layer, settings, rows, trained, random } = context;
  const masked = Number(settings.masked);
  const lower = rows.map(({ tokens }) => tokens!.texts.map((word) => word.toLowerCase()));
  const counts = new Map<string, number>();
  for (const word of lower.slice(0, trained).flat()) counts.set(word, (counts.get(word) ?? 0) + 1);
  const commonest = [...counts]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, Number(settings.words));
  const numbers = new Map(commonest.map(([word], i) => [word, i]));
  /** All other words are one class. */
  const others = commonest.length;
  const classes = lower.map((sentence) => Int32Array.from(sentence, (word) => numbers.get(word) ?? others));
  /** Places that are hidden, the same for a row and epoch. */
  const hidden = (row: number, epoch: number | null): Int32Array => {
    const source = random.fork(epoch === null ? "held out" : `epoch ${epoch}`).fork(`row ${row}`);
    const { length } = lower[row]!;
    return source.permutation(length).subarray(0, Math.max(1, Math.round(masked * length)));
  };
  const head: TagHead = { name: `heads.${name}`, kind: "softmax", tags: others + 1 };
  const over = overSentences("mlm", context);
  const options = {
    inputs: over.inputs,
    head,
    labels(row: number, epoch: number | null) {
      const labels = new Int32Array(lower[row]!.length).fill(-1);
      for (const place of hidden(row, epoch)) labels[place] = classes[row]![place]!;
      return labels;
    },
    changed(feeds: Feeds, members: Int32Array, epoch: number | null): Feeds {
      const shown = Object.fromEntries(
        Object.entries(feeds).map(([input, tensor]) => [input, SHOWN.has(input) ? copyOf(tensor) : tensor]),
      );
      const [, length] = feeds.word_ids!.shape as [number, number];
      for (const [i, row] of members.entries())
        for (const place of hidden(row, epoch)) blank(shown, i * length + place);
      return shown;
    },
  };
  const task = tokenTask(onSentences(over.sentences, layer, head, random), options);
  return {
    ...task,
    measure: "mean cross-entropy of a hidden word, in nats",
    openScorer: (runtime, held) => tokenLossScorer(task, options, { runtime, rows: held }),
    async baseline() {
      const shares = new Float64Array(others + 1).fill(1);
      for (const own of classes.slice(0, trained)) for (const one of own) shares[one]!++;
      const total = shares.reduce((sum, one) => sum + one, 0);
      let [loss, seen] = [0, 0];
      for (let row = trained; row < rows.length; row++)
        for (const place of hidden(row, null)) {
          loss -= Math.log(shares[classes[row]![place]!]! / total);
          seen++;
        }
      return loss / Math.max(1, seen);
    },
  };
}

/** Inputs that show what a token is, with what stands where it is hidden: an unknown word of unknown characters. */
const SHOWN = new Map<string, 0 | 1>([
  ["word_ids", 1],
  ["vector_ids", 0],
  ["vector_rows", 0],
  ["affix_ids", 0],
  ["char_ids", 1],
]);

function copyOf(tensor: Tensor): Tensor {
  return { ...tensor, data: tensor.data.slice() } as Tensor;
}

/** Hides the token at a place of the batch. */
function blank(feeds: Feeds, place: number): void {
  for (const [name, value] of SHOWN) {
    const tensor = feeds[name];
    if (tensor === undefined) continue;
    const width = tensor.shape.slice(2).reduce((product, extent) => product * extent, 1);
    const [from, to] = [place * width, (place + 1) * width];
    if (tensor.dtype === "int64") (tensor.data as BigInt64Array).fill(BigInt(value), from, to);
    else (tensor.data as Float32Array).fill(value, from, to);
  }
}
