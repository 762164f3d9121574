import { namesVectors } from "../sources/index.ts";
import type { Method } from "../training/index.ts";
import { isSmall } from "../training/methods.ts";
import { fixedFeatures, heldOutLosses } from "./cross-validate.ts";
import type { Learnt, Stage } from "./learn.ts";

/** What "auto" decides, and why, in words. */
export interface Decision {
  readonly method: Method;
  /** Settings of fine-tuning that were decided on: depth, learningRate. */
  readonly settings: Readonly<Record<string, number>>;
  readonly reason: string;
}

/** Labels a class under which the trunk stays frozen unless held-out training rows say otherwise. */
const MANY_LABELS = 1000;
/** Training rows beyond which trials would take hours, and are left to who asks for them. */
const MOST_ROWS = 3000;
/** Small, since training starts from a fitted head; one rate, so that the trials stay short. */
const RATE = 3e-5;
/** Share of the labels' entropy that a probe may explain before nothing is left to gain. */
const EXPLAINED = 0.95;

/**
 * How much of the network learns, from training rows alone: labels a class say how deep training may go, and
 * how far the target is from the source is read off how much of the labels a probe of the frozen features
 * explains on held-out training rows (1 − log loss / entropy of the labels). Whether training is kept at all
 * is then decided by `fineTune`, on held-out rows.
 */
export async function decideMethod(stage: Stage, learnt: Learnt): Promise<Decision> {
  const { source, train, trainKeys, extracted, fitting } = learnt;
  const frozen = (reason: string): Decision => ({ method: "probe", settings: {}, reason });
  if (source.layer === "")
    return frozen("nothing is pretrained, so a head is fitted on the inputs as they are");
  if (namesVectors(source.spec))
    return frozen("the vectors of words stay as they are under a head: labels touch few of them");
  if (stage.options.fast) return frozen("the network stays frozen: --fast asks for the quickest model");
  const counts = stage.prepared.classes.map((name) => train.filter(({ label }) => label === name).length);
  const labels = [...counts].sort((a, b) => a - b)[Math.floor(counts.length / 2)]!;
  if (train.length > MOST_ROWS)
    return frozen(
      `the network stays frozen: trials on ${train.length} rows would be long; ${labels >= MANY_LABELS ? `with ${labels} labels a class fine-tuning is likely to gain, so ask for it with` : "try"} --method lp-ft`,
    );
  if (extracted.features.rows < train.length)
    return frozen("the network stays frozen: its features stayed on disk, which trials would have to hold");
  if (Math.min(...counts) < 4)
    return frozen("the network stays frozen: a class has too few labels to hold some out");
  const losses = await heldOutLosses(train, trainKeys, fixedFeatures(extracted.features), {
    ...fitting,
    head: "logistic",
    random: stage.random.fork("decide"),
    seed: stage.seed,
  });
  const entropy = counts.reduce((sum, n) => sum - (n / train.length) * Math.log(n / train.length), 0);
  const explained = 1 - losses.reduce((sum, loss) => sum + loss, 0) / losses.length / entropy;
  const share = `${Math.round(100 * Math.max(0, explained))} %`;
  if (explained > EXPLAINED)
    return frozen(
      `the network stays frozen: its features explain ${share} of the labels of held-out training rows, so there is little to gain`,
    );
  if (isSmall(source.trunk))
    return {
      method: "lp-ft",
      settings: {},
      reason: `${labels} labels a class, and frozen features explain ${share} of the labels of held-out training rows: tried was training the upper blocks, and all of them, for the network is small`,
    };
  const depth = labels < 30 ? 1 : labels < 300 ? 2 : 4;
  return {
    method: "lp-ft",
    settings: { depth, learningRate: RATE },
    reason: `${labels} labels a class, and frozen features explain ${share} of the labels of held-out training rows: tried was training the upper ${depth} block${depth === 1 ? "" : "s"}`,
  };
}
