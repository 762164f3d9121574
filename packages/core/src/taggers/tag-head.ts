import { InputError } from "../errors.ts";
import type { Builder } from "../ir/build.ts";
import type { Graph, Shape, Value } from "../ir/graph.ts";
import type { Formula } from "../ops/formula.ts";
import type { Random } from "../random.ts";
import { float32, type Tensor } from "../tensor.ts";
import { crossEntropy } from "../training/losses.ts";
import type { ExpectedTags, Transitions } from "./decode.ts";
import { dense, weightsOf } from "./weights.ts";

/** How tags are scored: each token by itself, or whole sequences (a linear-chain conditional random field). */
export const TAG_HEADS = ["softmax", "crf"] as const;
/** The name of a kind of head. */
export type TagHeadKind = (typeof TAG_HEADS)[number];

/** A head of a trunk: its outputs by name. */
export interface TagHead {
  readonly name: string;
  readonly kind: TagHeadKind;
  readonly tags: number;
  /** Names of its outputs where a network of several tasks calls them otherwise. */
  readonly outputs?: { readonly logits: string; readonly transitions: string };
}

/** Names of a head's outputs: scores [batch, length, C], and for sequences transitions [C + 2, C]. */
export const headOutputs = ({ name, outputs }: TagHead) =>
  outputs ?? { logits: `${name}.logits`, transitions: `${name}.transitions.output` };

/** Appends a head to states [batch, length, width] and makes its scores outputs of the graph. */
export function appendTagHead(
  builder: Builder,
  states: Value,
  width: number,
  head: TagHead,
  random: Random,
): void {
  const weights = weightsOf(builder, random);
  const { logits, transitions } = headOutputs(head);
  const scores = dense(weights, states, `${head.name}.scores`, width, head.tags);
  const output = builder.apply("Identity", [scores], {}, { name: logits });
  builder.graph.outputs.push(
    Object.assign(output, { dtype: "float32", shape: ["batch", "length", head.tags] }),
  );
  if (head.kind === "softmax") return;
  // Rows: from each tag to the column's; then the start and the end.
  const table = weights.constant(`${head.name}.transitions`, [head.tags + 2, head.tags], 0);
  const shown = builder.apply("Identity", [table], {}, { name: transitions });
  builder.graph.outputs.push(Object.assign(shown, { dtype: "float32", shape: [head.tags + 2, head.tags] }));
}

/** Transitions out of a head's table [C + 2, C]. */
export function transitionsOf({ data, shape }: Tensor): Transitions {
  const [rows, count] = shape as [number, number];
  if (rows !== count + 2)
    throw new InputError(`a table of transitions is [C + 2, C], got [${shape.join(", ")}]`);
  const values = data as Float32Array;
  return {
    between: values.slice(0, count * count),
    start: values.slice(count * count, count * (count + 1)),
    end: values.slice(count * (count + 1)),
  };
}

/** Adds an input of the loss. */
export type LossInput = (name: string, dtype: Value["dtype"], shape: Shape) => Value;

/**
 * Appends the loss of a head: the mean over tokens of the negative log-likelihood, of each tag or of the
 * whole sequence. Feeds of what it adds are `headTargets`.
 */
export function headLoss(
  g: Formula,
  graph: Graph,
  input: LossInput,
  head: TagHead,
  { rows, length }: { readonly rows: number; readonly length: number },
): Value {
  const names = headOutputs(head);
  const output = (name: string) => graph.outputs.find((value) => value.name === name)!;
  const logits = output(names.logits);
  const { tags: count, name } = head;
  if (head.kind === "softmax") {
    const targets = input(`${name}.targets`, "float32", [rows * length, count]);
    return crossEntropy(g, g.reshape(logits, [rows * length, count]), targets);
  }
  return sequenceLoss(g, logits, output(names.transitions), {
    count,
    length,
    targets: input(`${name}.targets`, "float32", [rows, length, count]),
    moves: input(`${name}.moves`, "float32", [count + 2, count]),
    mask: input(`${name}.mask`, "float32", [length, rows, 1]),
    last: input(`${name}.last`, "float32", [length, rows, 1]),
  });
}

interface SequenceInputs {
  readonly count: number;
  readonly length: number;
  /**
   * One-hot tags [rows, length, C], how often each transition occurs [C + 2, C], tokens and last tokens
   * [length, rows, 1].
   */
  readonly targets: Value;
  readonly moves: Value;
  readonly mask: Value;
  readonly last: Value;
}

/**
 * log Z − score of the tags (Lafferty, McCallum and Pereira 2001), by the forward algorithm in steps of
 * probabilities: each is scaled to sum 1 and the logarithms of the scales add up to log Z (Rabiner 1989,
 * section V.A), so that a step is one product and nothing runs over. Scores of a token are normalised first,
 * which changes both terms alike. Beyond the end of a sentence the steps go on and count nothing.
 */
export function sequenceLoss(g: Formula, logits: Value, transitions: Value, at: SequenceInputs): Value {
  const { count, length } = at;
  const [between, start, end] = g.split(transitions, [count, 1, 1], 0) as [Value, Value, Value];
  const logs = g.op("LogSoftmax", [logits], { axis: -1 });
  const shares = g.exp(g.transpose(logs, [1, 0, 2])); // [length, rows, C]
  const steps =
    length === 1
      ? [shares]
      : g.split(
          shares,
          Array.from({ length }, () => 1),
          0,
        );
  const weights = g.exp(between);
  const scales: Value[] = [];
  const states: Value[] = [];
  for (const [t, step] of steps.entries()) {
    const raw = g.mul(t === 0 ? g.exp(start) : g.matmul(states[t - 1]!, weights), step);
    const scale = g.sum(raw, [2]);
    scales.push(scale);
    states.push(g.div(raw, scale));
  }
  const ends = g.matmul(g.concat(states, 0), g.transpose(g.exp(end), [1, 0])); // [length, rows, 1]
  const partition = g.add(
    g.sum(g.mul(at.mask, g.log(g.concat(scales, 0)))),
    g.sum(g.mul(at.last, g.log(ends))),
  );
  const score = g.add(g.sum(g.mul(at.targets, logs)), g.sum(g.mul(at.moves, transitions)));
  return g.sub(partition, score);
}

/**
 * Feeds of `headLoss` for sentences of class numbers; a negative number has no tag and counts nothing, which
 * only a softmax head takes. Weighted so that the loss is a mean over tokens.
 */
export function headTargets(
  head: TagHead,
  sentences: readonly Int32Array[],
  { rows, length }: { readonly rows: number; readonly length: number },
): Record<string, Tensor> {
  const { name, kind, tags: count } = head;
  const total = sentences.reduce((sum, tags) => sum + tags.filter((tag) => tag >= 0).length, 0);
  const share = total === 0 ? 0 : 1 / total;
  const targets = new Float32Array(rows * length * count);
  const moves = new Float32Array((count + 2) * count);
  const mask = new Float32Array(length * rows);
  const last = new Float32Array(length * rows);
  for (const [s, tags] of sentences.entries()) {
    for (const [t, tag] of tags.entries()) {
      if (tag < 0) {
        if (kind === "crf")
          throw new InputError(`sentence ${s} has a token without a tag; a sequence needs one for each`);
        continue;
      }
      targets[(s * length + t) * count + tag] = share;
      mask[t * rows + s] = share;
      const before = t === 0 ? count : tags[t - 1]!;
      moves[before * count + tag]! += share;
    }
    if (tags.length === 0) continue;
    last[(tags.length - 1) * rows + s] = share;
    if (kind === "crf") moves[(count + 1) * count + tags.at(-1)!]! += share;
  }
  if (kind === "softmax") return { [`${name}.targets`]: float32([rows * length, count], targets) };
  return chainFeeds(name, { rows, length, count }, { targets, moves, mask, last });
}

/**
 * As `headTargets` where tags are not known but expected: the loss is then the cross-entropy of what is
 * expected against what the head gives, least where they are the same.
 */
export function expectedTargets(
  { name, kind, tags: count }: TagHead,
  sentences: readonly ExpectedTags[],
  { rows, length }: { readonly rows: number; readonly length: number },
): Record<string, Tensor> {
  const tokens = sentences.map(({ probabilities }) => probabilities.length / count);
  const share =
    1 /
    Math.max(
      1,
      tokens.reduce((sum, one) => sum + one, 0),
    );
  const targets = new Float32Array(rows * length * count);
  const moves = new Float32Array((count + 2) * count);
  const mask = new Float32Array(length * rows);
  const last = new Float32Array(length * rows);
  for (const [s, expected] of sentences.entries()) {
    for (const [i, p] of expected.probabilities.entries()) targets[s * length * count + i] = share * p;
    for (const [i, often] of expected.moves.entries()) moves[i]! += share * often;
    for (let t = 0; t < tokens[s]!; t++) mask[t * rows + s] = share;
    if (tokens[s]! > 0) last[(tokens[s]! - 1) * rows + s] = share;
  }
  return kind === "softmax"
    ? { [`${name}.targets`]: float32([rows * length, count], targets) }
    : chainFeeds(name, { rows, length, count }, { targets, moves, mask, last });
}

function chainFeeds(
  name: string,
  { rows, length, count }: { readonly rows: number; readonly length: number; readonly count: number },
  made: Record<"targets" | "moves" | "mask" | "last", Float32Array>,
): Record<string, Tensor> {
  return {
    [`${name}.targets`]: float32([rows, length, count], made.targets),
    [`${name}.moves`]: float32([count + 2, count], made.moves),
    [`${name}.mask`]: float32([length, rows, 1], made.mask),
    [`${name}.last`]: float32([length, rows, 1], made.last),
  };
}
