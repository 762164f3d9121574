import {
  besideLinear,
  type LinearTagger,
  openTagger,
  type Runtime,
  readModel,
  type Scheme,
  type TagFeeder,
  type TaggerSpec,
  writeModel,
} from "@graft-ml/core";
import { heldLogLoss, heldScore } from "./held-score.ts";
import type { LearntTagger } from "./learn-tagger.ts";
import type { Sentence } from "./sentences.ts";

/** Weights tried of a linear tagger beside a network. */
const SHARES = [0.15, 0.3, 0.45, 0.6, 0.75] as const;
/** Temperatures tried of the two together, and the sentences that they are compared on at most. */
const TEMPERATURES = Array.from({ length: 9 }, (_, k) => 2 ** (k / 2 - 3));
const ENOUGH = 500;

/** What the two are weighed on. */
export interface Mixing {
  readonly held: readonly Sentence[];
  readonly scheme: Scheme | null;
  /** Rows of the linear tagger's table. */
  readonly rows: number;
  readonly runtime: Runtime;
  readonly feeds?: TagFeeder;
  readonly signal?: AbortSignal;
  log(entry: Readonly<Record<string, unknown>>): Promise<void>;
}

/**
 * The network with a linear tagger beside it, where some weight of it is better on the held-out sentences;
 * then with the temperature under which the held-out tags are likeliest.
 */
export async function withLinear(
  own: LearntTagger,
  linear: LinearTagger,
  mixing: Mixing,
): Promise<LearntTagger> {
  const { held, scheme, rows, runtime, feeds, signal, log } = mixing;
  const mixed = (share: number, temperature: number) => {
    const made = besideLinear(readModel(own.model), own.spec.head, linear, { share, temperature });
    const spec: TaggerSpec = { ...own.spec, head: made.head, beside: { rows } };
    return { spec, model: writeModel(made.model) };
  };
  const tagged = async (
    { spec, model }: ReturnType<typeof mixed>,
    sentences: readonly Sentence[],
    probabilities: boolean,
  ) => {
    signal?.throwIfAborted();
    const opened = await openTagger(spec, model, runtime, feeds);
    const texts = sentences.map(({ tokens }) => tokens.texts);
    const found = await opened.tag(texts, { probabilities });
    await opened.close();
    return found;
  };
  let best = { score: Math.max(...own.scores), share: 0 };
  for (const share of SHARES) {
    const one = mixed(share, 1);
    const score = heldScore(held, await tagged(one, held, false), one.spec, scheme);
    await log({ step: "beside", share, score });
    if (score > best.score) best = { score, share };
  }
  const { share, score } = best;
  if (share === 0) return { ...own, chosen: { ...own.chosen, beside: 0 } };
  const some = held.slice(0, ENOUGH);
  let [temperature, least] = [1, Number.POSITIVE_INFINITY];
  for (const tried of TEMPERATURES) {
    const one = mixed(share, tried);
    const loss = heldLogLoss(some, await tagged(one, some, true), one.spec);
    if (loss < least) [temperature, least] = [tried, loss];
  }
  const reason = `${own.reason}; a linear tagger beside it has ${share} of the weight (${(100 * score).toFixed(1)} %)`;
  const chosen = { ...own.chosen, beside: share, temperature: Number(temperature.toPrecision(3)) };
  return { ...own, ...mixed(share, temperature), reason, chosen };
}
